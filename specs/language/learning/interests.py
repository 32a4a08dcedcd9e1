"""The kind that tells how much a text is about each of some tags, declared in words."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from limner.language.feature_base import Fault, repeated
from limner.language.learning.classifier import Classifier, TextLabel, Values, twice
from limner.language.names import Name
from limner.language.scalars import Filled
from limner.language.suggest import did_you_mean
from limner.language.template import Template


class TagTexts(BaseModel):
    """What a tag means: a description, and texts that are about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    about: Filled
    examples: tuple[Filled, ...] = ()


class TextRows(BaseModel):
    """Rows that have texts: the source, and how they are written."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: Name
    text: Template


class Truth(BaseModel):
    """A column of the rows that tells what some of them are about. Only `limner evaluate` looks at it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    column: Filled
    tags: Annotated[dict[Name, Values], Field(min_length=2, max_length=100)]


class Interests(BaseModel):
    """How much a text is about each tag, as weights that add up to 1.

    Tags are compared with texts by an encoder's vectors. What is usual for a text is learned from the rows that are
    known by the cut-off; what tags mean, from their descriptions and examples.
    """

    kind: ClassVar[str] = "interests"
    model_config = ConfigDict(frozen=True, extra="forbid")
    encoder: Name
    tags: Annotated[dict[Name, TagTexts], Field(min_length=2, max_length=100)]
    texts: TextRows
    truth: Truth | None = None

    @property
    def vectors(self) -> str:
        """The encoder whose vectors are learned on."""
        return self.encoder

    @property
    def names(self) -> tuple[str, ...]:
        """The tags, in the order in which weights are given."""
        return tuple(self.tags)

    @property
    def reads(self) -> tuple[tuple[tuple[str, ...], str, Template], ...]:
        """(key path, source, text) of the rows it learns from."""
        return ((("texts",), self.texts.source, self.texts.text),)

    @property
    def as_classes(self) -> Classifier | None:
        """The tags as classes of the rows whose truth is known; None where none is."""
        if self.truth is None:
            return None
        label = TextLabel(source=self.texts.source, text=self.texts.text, column=self.truth.column)
        return Classifier(label=label, classes=self.truth.tags, encoder=self.encoder)

    def faults(self) -> Iterator[Fault]:
        """A text is an example of one tag, once; truth is told of tags that there are, and not by the text itself."""
        seen: dict[str, str] = {}
        for name, tag in self.tags.items():
            yield from repeated(("tags", name, "examples"), tag.examples, "text")
            for i, text in enumerate(tag.examples):
                first = seen.setdefault(text, name)
                if first != name:
                    yield ("tags", name, "examples", i), f"is an example of {first!r} already: keep one", False
        if self.truth is None:
            return
        for name in self.truth.tags:
            if name not in self.tags:
                yield ("truth", "tags", name), f"there is no tag {name!r}: {did_you_mean(name, self.tags)}", True
        yield from twice(("truth", "tags"), self.truth.tags, "the tag")
