"""The kind that measures texts, and which encoders features ask for."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from limner.language.feature_base import Fault, FeatureBase, Read, Windowed, repeated
from limner.language.languages import Languages
from limner.language.scalars import Filled, Number
from limner.language.template import Template
from limner.language.types import LogicalType, OutputType

Measure = Literal["words", "sentences", "characters", "tokens"]


class TextStatistic(Windowed):
    """A number measured at each row's text, pooled over the window. Empty texts do not count.

    The sum of no texts is 0, everything else of none is null; so is the `std` of one.
    """

    kind = "text"
    text: Template
    measure: Measure
    pool: Literal["mean", "sum", "max", "min", "std"] = "mean"
    encoder: Filled | None = None
    languages: Languages = ()
    default: Number | None = None

    @property
    def column(self) -> str | None:
        """None: a text is written from a template."""
        return None

    def reads(self) -> tuple[Read, ...]:
        """The columns of the text."""
        return tuple(Read(("text",), name, text=True) for name in self.text.columns)

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A float for a mean or deviation, else an int."""
        return OutputType("float" if self.pool in ("mean", "std") else "int")

    def faults(self) -> Iterator[Fault]:
        """Tokens are an encoder's, other measures are not; a language is named once."""
        yield from repeated(("languages",), self.languages, "language")
        if self.measure == "tokens" and self.encoder is None:
            yield ("measure",), "tokens are those of an encoder's tokenizer: add encoder", False
        if self.measure != "tokens" and self.encoder is not None:
            yield ("encoder",), f"encoder is for measure: tokens; {self.measure} need none", True


def encoders_of(features: Iterable[FeatureBase]) -> list[str]:
    """The names of the encoders that some features use, each once, sorted."""
    names = {getattr(feature, "encoder", None) for feature in features}
    return sorted(name for name in names if name is not None)
