"""The kind that tells how much a text is about each of some tags, declared in words."""

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from limner.language.feature_base import Fault, repeated
from limner.language.names import Name
from limner.language.scalars import Filled
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

    def faults(self) -> Iterator[Fault]:
        """A text is an example of one tag, once."""
        seen: dict[str, str] = {}
        for name, tag in self.tags.items():
            yield from repeated(("tags", name, "examples"), tag.examples, "text")
            for i, text in enumerate(tag.examples):
                first = seen.setdefault(text, name)
                if first != name:
                    yield ("tags", name, "examples", i), f"is an example of {first!r} already: keep one", False
