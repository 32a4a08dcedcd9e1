"""What derived kinds have in common: they are made of other features of the view, row by row."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from limner.language.feature_base import Fault, FeatureBase, Operand, Read
from limner.language.types import NUMBERS, OutputType
from limner.language.windows import Window, Written

OperandTypes = Mapping[str, tuple[OutputType, ...]]
"""By the name of an operand, the types of the outputs it stands for."""


class Derived(FeatureBase):
    """A kind whose values are made of other features of the view, at each instant by themselves.

    It reads no rows, so it has neither a window nor a condition. Where an operand has several windows, it has one
    value for each, too.
    """

    # In place of keys that only kinds over rows have.
    where: ClassVar[None] = None  # type: ignore[misc]
    from_: ClassVar[None] = None  # type: ignore[misc]

    @property
    def written(self) -> tuple[Written, ...]:
        """None: it reads no rows."""
        return ()

    def looks(self, window: Window) -> tuple[Window, ...]:
        """None: it reads no rows."""
        return ()

    @property
    def column(self) -> str | None:
        """None: it reads no rows."""
        return None

    def reads(self) -> tuple[Read, ...]:
        """None: it reads no rows."""
        return ()

    def faults(self) -> Iterator[Fault]:
        """Rules of the kind that no type can say, broken by this feature."""
        return iter(())

    def operands(self) -> tuple[Operand, ...]:
        """The features it is made of."""
        value = getattr(self, self.kind)
        return (Operand((self.kind,), value, self.takes),) if isinstance(value, str) else ()

    @property
    def together(self) -> bool:
        """Whether all windows of an operand make one value, instead of a value each."""
        return False

    @property
    def fitted(self) -> int | None:
        """The instant (µs) as of which it is fitted to the population of entities; None if it needs no fit."""
        return None

    @property
    def turns(self) -> tuple[int, ...]:
        """Instants (µs) from which on its values may be others though nothing happens: something learned speaks."""
        return () if self.fitted is None else (self.fitted,)

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """The type of its values. ValueError says what does not fit."""
        raise NotImplementedError


class Scaled(Derived):
    """A number made of a number."""

    takes = NUMBERS

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """A float."""
        return OutputType("float")
