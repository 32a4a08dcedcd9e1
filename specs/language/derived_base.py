"""What derived kinds have in common: they are made of other features of the view, row by row."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, WithJsonSchema

from limner.language.durations import parse_instant
from limner.language.feature_base import Fault, FeatureBase, Read
from limner.language.places import Path
from limner.language.scalars import found
from limner.language.types import LogicalType, OutputType
from limner.language.windows import Window, Written

OperandTypes = Mapping[str, tuple[OutputType, ...]]
"""By the name of an operand, the types of the outputs it stands for."""
_LEAST = 10**12  # µs: nobody writes instants as numbers, and no data is as old as this


def _instant(value: Any) -> int:
    if isinstance(value, int | float) and abs(value) < _LEAST:
        raise ValueError(f"found {found(value)}, expected an instant such as 2026-01-31T00:00:00Z")
    return parse_instant(value)


FitInstant = Annotated[
    int, BeforeValidator(_instant), WithJsonSchema({"type": "string", "examples": ["2026-01-31T00:00:00Z"]})
]


@dataclass(frozen=True)
class Operand:
    """A feature that a derived one is made of: the key that names it, its name as written, which types it may have.

    `vector`: it must be a vector; otherwise it is one value (`types` None: of any type).
    """

    path: Path
    name: str
    types: tuple[LogicalType, ...] | None = None
    vector: bool = False

    @property
    def key(self) -> str:
        """The key that names it."""
        return [part for part in self.path if isinstance(part, str)][-1]

    @property
    def expected(self) -> str:
        """What it must be, in words."""
        if self.vector:
            return "a vector"
        return "numbers" if self.types == ("int", "float") else "one value"


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
        return (Operand((self.kind,), value),) if isinstance(value, str) else ()

    @property
    def together(self) -> bool:
        """Whether all windows of an operand make one value, instead of a value each."""
        return False

    @property
    def fitted(self) -> int | None:
        """The instant (µs) as of which it is fitted to the population of entities; None if it needs no fit."""
        return None

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """The type of its values. ValueError says what does not fit."""
        raise NotImplementedError


class Scaled(Derived):
    """A number made of a number."""

    def operands(self) -> tuple[Operand, ...]:
        """The number."""
        return (Operand((self.kind,), getattr(self, self.kind), ("int", "float")),)

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """A float."""
        return OutputType("float")
