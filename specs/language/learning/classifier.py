"""The kind that learns to tell texts apart by a label that rows carry."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from limner.language.durations import Duration
from limner.language.feature_base import Fault, repeated
from limner.language.learning.tuning import Tune, Tuning
from limner.language.names import Name
from limner.language.scalars import Filled, Scalar
from limner.language.template import Template
from limner.language.term_encoders import Terms

Values = Annotated[
    Annotated[Scalar, Tag("<one>")] | Annotated[tuple[Scalar, ...], Field(min_length=1), Tag("<list>")],
    Discriminator(lambda value: "<list>" if isinstance(value, list | tuple) else "<one>"),
]
Classes = Annotated[
    Annotated[tuple[Name, ...], Field(min_length=2, max_length=100), Tag("<list>")]
    | Annotated[dict[Name, Values], Field(min_length=2, max_length=100), Tag("<mapping>")],
    Discriminator(lambda value: "<mapping>" if isinstance(value, dict) else "<list>"),
]


def each_of(values: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    """One value or several, as several."""
    return values if isinstance(values, tuple) else (values,)


def twice(path: tuple[str, ...], meant: Mapping[str, Scalar | tuple[Scalar, ...]], what: str) -> Iterator[Fault]:
    """Values that mean two things."""
    seen: dict[tuple[type, Scalar], str] = {}
    for name, values in meant.items():
        for value in each_of(values):
            first = seen.setdefault((type(value), value), name)
            if first != name:
                yield (*path, name), f"{value!r} means {what} {first!r} already: keep one", False


class TextLabel(BaseModel):
    """Rows that say what their text is: the source, how the text is written, and the column of the truth."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: Name
    text: Template
    column: Filled


class Classifier(BaseModel):
    """Of which class a text is, as probabilities that add up to 1.

    It learns from rows that are known by the cut-off. Rows whose label is null or of no class do not count, and equal
    texts are one.
    """

    kind: ClassVar[str] = "classifier"
    model_config = ConfigDict(frozen=True, extra="forbid")
    label: TextLabel
    classes: Classes
    method: Literal["head", "tfidf", "textcnn"] = "head"
    tune: Tune | None = None
    encoder: Name | None = None
    terms: Terms | None = None
    weights: Literal["balanced", "none"] = "balanced"
    over: Duration | None = None

    @property
    def tuning(self) -> Tuning | None:
        """How the encoder's own weights are learned on; None where they are not."""
        return Tuning(how=self.tune) if isinstance(self.tune, str) else self.tune

    @property
    def learner(self) -> str:
        """How it learns, in a word or two."""
        return self.method if self.tuning is None else f"tune: {self.tuning.how}"

    @property
    def vectors(self) -> str | None:
        """The encoder whose vectors are learned on, as they are kept."""
        return None if self.tune is not None else self.encoder

    @property
    def names(self) -> tuple[str, ...]:
        """The classes, in the order in which probabilities are given."""
        return tuple(self.classes)

    @property
    def values(self) -> Mapping[str, tuple[Scalar, ...]]:
        """By class, the values of the label that mean it."""
        if not isinstance(self.classes, dict):
            return {name: (name,) for name in self.classes}
        return {name: each_of(value) for name, value in self.classes.items()}

    @property
    def reads(self) -> tuple[tuple[tuple[str, ...], str, Template], ...]:
        """(key path, source, text) of the rows it learns from."""
        return ((("label",), self.label.source, self.label.text),)

    def faults(self) -> Iterator[Fault]:
        """An encoder is a head's, terms are counted by tfidf; a value means one class; no text may hold its label."""
        if self.tune is not None:
            yield from self._tuned()
        elif self.method == "head" and self.encoder is None:
            yield ("method",), "a head is learned on an encoder's vectors: add encoder, or choose tfidf", False
        if self.tune is None and self.method != "head" and self.encoder is not None:
            yield ("encoder",), f"encoder is for method: head; {self.method} reads the texts themselves", True
        if self.terms is not None and self.method != "tfidf":
            yield ("terms",), f"terms is for method: tfidf; {'tune' if self.tune else self.method} needs none", True
        if self.label.column in self.label.text.columns:
            text = f"the text holds the label itself, {self.label.column!r}: nothing would be learned but to read it"
            yield ("label", "text"), text, False
        if isinstance(self.classes, dict):
            yield from twice(("classes",), self.classes, "the class")
        else:
            yield from repeated(("classes",), self.classes, "class")

    def _tuned(self) -> Iterator[Fault]:
        if "method" in self.model_fields_set:
            yield ("method",), "tune says how it learns: remove method, or tune", True
        if self.encoder is None:
            yield ("tune",), "an encoder's own weights are learned on: add encoder", False
        tuning = self.tuning
        if tuning is not None and tuning.rank is not None and tuning.how != "lora":
            yield ("tune", "rank"), "rank is for how: lora; full learns every weight", True
