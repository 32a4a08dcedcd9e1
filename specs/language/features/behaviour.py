"""The kinds that ask a model of sequences: what the newest rows of a window look like, and what follows them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Self

from pydantic import Field, PrivateAttr

from limner.language.expressions import Condition
from limner.language.feature_base import Fault, FeatureBase, Read, Windowed
from limner.language.features.asking import Pin
from limner.language.scalars import Filled, Int
from limner.language.types import LogicalType, OutputType


class OfSequence(Windowed):
    """What kinds that ask a model of sequences have in common: which rows count, and how many, the model says.

    At an instant the version with the latest cut-off speaks.
    """

    _columns: tuple[str, ...] = PrivateAttr(())
    _where: Condition | None = PrivateAttr(None)
    _length: int = PrivateAttr(1)
    _dim: int = PrivateAttr(0)
    _pins: tuple[Pin, ...] = PrivateAttr(())

    def bound(
        self, columns: tuple[str, ...], where: Condition | None, length: int, dim: int, pins: tuple[Pin, ...]
    ) -> Self:
        """This feature, knowing what its model reads (the item first), of how many rows, and its versions."""
        made = self.model_copy()
        made._columns, made._where, made._length, made._dim, made._pins = columns, where, length, dim, pins
        return made

    @property
    def model(self) -> str:
        """The model that is asked."""
        name: str = getattr(self, self.kind)
        return name

    @property
    def columns_read(self) -> tuple[str, ...]:
        """What the model reads of a row, the item first; empty before it is bound."""
        return self._columns

    @property
    def length(self) -> int:
        """How many rows are read at most: the newest ones."""
        return self._length

    @property
    def dim(self) -> int:
        """Length of the network's state; 0 before it is bound."""
        return self._dim

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The versions that speak, by rising cut-off."""
        return self._pins

    @property
    def turns(self) -> tuple[int, ...]:
        """The cut-offs of its versions."""
        return tuple(pin.cut_off for pin in self._pins)

    @property
    def column(self) -> str | None:
        """The item's."""
        return self._columns[0] if self._columns else None

    def expand(self, name: str) -> tuple[tuple[str, FeatureBase], ...]:
        """Itself, of the rows that the model is about."""
        if self._where is None or self.where is not None:
            return ((name, self),)
        return ((name, self.model_copy(update={"where": self._where})),)

    def reads(self) -> tuple[Read, ...]:
        """What the model reads."""
        return tuple(Read((self.kind,), name) for name in self._columns)

    def faults(self) -> Iterator[Fault]:
        """The model says which rows count."""
        if self.where is not None:
            yield ("where",), "where is the model's: it reads the rows that it learned to read", True

    @property
    def order_matters(self) -> bool:
        """Of several tied rows one comes first."""
        return True


class Encode(OfSequence):
    """The state of a network that has read the newest rows of a window, as a vector: what a `sequence` model makes.

    At an instant the version with the latest cut-off speaks. Null before the first one, and when empty.
    """

    kind = "encode"
    encode: Filled

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A vector of the model's `dim`."""
        return OutputType("float", list=True, dim=self.dim)


class NextItems(OfSequence):
    """The k likeliest items of the next instant, with their probabilities: what a `sequence` model says.

    At an instant the version with the latest cut-off speaks. Empty before the first one, and without rows.
    """

    kind = "next"
    next: Filled
    k: Annotated[Int, Field(ge=1, le=100)] = 5

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A map from item to probability."""
        return OutputType("float", map=True)
