"""The kinds that ask a model of texts: what it says of each row's text, pooled over a window."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, PrivateAttr, Tag

from limner.language.feature_base import Fault, FeatureBase, Read, Windowed, repeated
from limner.language.features.asking import Pin
from limner.language.features.embed import MeanPool, Pool
from limner.language.languages import Languages
from limner.language.scalars import Filled
from limner.language.template import Template
from limner.language.types import NUMBERS, LogicalType, OutputType


class Scored(Windowed):
    """What kinds that ask a model of texts have in common."""

    model: Filled
    languages: Languages = ()
    as_: Literal["numbers", "vector"] = Field("numbers", alias="as")
    pool: Annotated[
        Annotated[Literal["mean"], Tag("<one>")] | Annotated[Pool, Tag("<mapping>")],
        Discriminator(lambda value: "<mapping>" if isinstance(value, dict | Pool) else "<one>"),
    ] = "mean"
    _classes: tuple[str, ...] = PrivateAttr(())
    _encoder: str | None = PrivateAttr(None)
    _pins: tuple[Pin, ...] = PrivateAttr(())
    _place: int | None = PrivateAttr(None)

    def bound(self, classes: tuple[str, ...], encoder: str | None, pins: tuple[Pin, ...]) -> Self:
        """This feature, knowing its model's classes, the encoder whose vectors that takes, and its versions."""
        made = self.model_copy()
        made._classes, made._encoder, made._pins = classes, encoder, pins
        return made

    @property
    def text(self) -> Template:
        """How the text of a row is written."""
        template: Template = getattr(self, self.kind)
        return template

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes (or tags) of its model, in its order; empty before it is bound."""
        return self._classes

    @property
    def place(self) -> int | None:
        """Which class this is about; None: all of them, as a vector."""
        return self._place

    @property
    def whole(self) -> Self:
        """The same about all classes: what a number of each is taken from."""
        return self._of(None)

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The versions that speak, by rising cut-off."""
        return self._pins

    @property
    def encoder(self) -> str | None:
        """The encoder whose vectors the model takes; None where it reads texts, and where no version speaks."""
        return self._encoder if self._pins else None

    @property
    def turns(self) -> tuple[int, ...]:
        """The cut-offs of its versions."""
        return tuple(pin.cut_off for pin in self._pins)

    def speaking(self, begin: int, end: int) -> tuple[Pin, ...]:
        """The versions that speak at some instant of [begin, end], µs."""
        until = (*self.turns[1:], None)
        spans = zip(self._pins, until, strict=False)
        return tuple(pin for pin, last in spans if pin.cut_off <= end and (last is None or last > begin))

    @property
    def column(self) -> str | None:
        """None: a text is written from a template."""
        return None

    @property
    def pooling(self) -> MeanPool:
        """The pooling asked for, defaults filled in."""
        return self.pool.mean if isinstance(self.pool, Pool) else MeanPool()

    def expand(self, name: str) -> tuple[tuple[str, FeatureBase], ...]:
        """A number a class, unless it is a vector."""
        if self.as_ == "vector" or self._place is not None or not self._classes:
            return ((name, self),)
        return tuple((f"{name}_{each}", self._of(place)) for place, each in enumerate(self._classes))

    def _of(self, place: int | None) -> Self:
        made = self.model_copy()
        made._place = place
        return made

    def names(self, name: str) -> tuple[str, ...]:
        """A name a class and window: `mood_negative_7d`."""
        parts = self.expand(name)
        if parts == ((name, self),):
            return super().names(name)
        return tuple(output for part, plain in parts for output in plain.names(part))

    def reads(self) -> tuple[Read, ...]:
        """The columns of the text, and the weight."""
        texts = tuple(Read((self.kind,), name, text=True) for name in self.text.columns)
        weight = self.pooling.weight
        if weight is None:
            return texts
        return (*texts, Read(("pool", "mean", "weight"), weight, NUMBERS, "a weight is a number"))

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A float, or a vector with a place for each class."""
        if self._place is not None:
            return OutputType("float")
        return OutputType("float", list=True, dim=len(self._classes))

    def faults(self) -> Iterator[Fault]:
        """A language is named once."""
        yield from repeated(("languages",), self.languages, "language")

    @property
    def order_matters(self) -> bool:
        """Some of several tied rows may be the newest n."""
        return self.pooling.newest is not None


class Classify(Scored):
    """How likely the texts of a window are of each class, on average: what a `classifier` says of each, pooled.

    At an instant the version with the latest cut-off speaks, of all rows. Null before the first one, and when empty.
    """

    kind = "classify"
    classify: Template


class InterestWeights(Scored):
    """How much the texts of a window are about each tag, on average: what `interests` says of each, pooled.

    At an instant the version with the latest cut-off speaks, of all rows. Null before the first one, and when empty.
    """

    kind = "interests"
    interests: Template


SCORED_BY: dict[str, str] = {"classify": "classifier", "interests": "interests"}
"""Feature kind to the kind of model that it asks."""
