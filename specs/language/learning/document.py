"""The document that declares a model."""

from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic.json_schema import SkipJsonSchema

from limner.language.durations import Duration
from limner.language.features import Pin
from limner.language.learning.classifier import Classifier
from limner.language.learning.interests import Interests
from limner.language.learning.propensity import Propensity
from limner.language.learning.segments import Segments
from limner.language.learning.sequence import SequenceEncoder
from limner.language.names import Model, Name
from limner.language.scalars import Instant, Int, Text


class LearnedModel(Model):
    """What is learned of the project's own data, as of stated instants: one kind, named by its key.

    A version is learned of what was known before its cut-off: `cut_off`, and every `refit` after it.
    """

    model: Name
    description: Text = ""
    entity: Name | None = None
    propensity: Propensity | None = None
    classifier: Classifier | None = None
    interests: Interests | None = None
    sequence: SequenceEncoder | None = None
    segments: Segments | None = None
    cut_off: Instant
    refit: Duration | None = None
    seed: Annotated[Int, Field(ge=0, lt=2**32)] = 0
    versions: SkipJsonSchema[tuple[Pin, ...]] = ()

    @field_validator("versions", mode="before")
    @classmethod
    def _not_written(cls, value: Any, info: ValidationInfo) -> Any:
        if info.context is not None:
            raise ValueError("versions are made by limner fit, and found by themselves: remove the key")
        return value

    @property
    def kinds(self) -> tuple[Propensity | Segments, ...]:
        """What is said to be learned of features: one at most, unless the document is broken."""
        return tuple(each for each in (self.propensity, self.segments) if each is not None)

    @property
    def learns(self) -> Propensity | Segments:
        """What is learned, and how."""
        return self.kinds[0]

    @property
    def about(self) -> str:
        """The entity it is about; models of texts are about none."""
        assert self.entity is not None
        return self.entity

    @property
    def said(self) -> str:
        """The key that says what is learned; empty where none does."""
        return next((each.kind for each in (self.texts, self.sequence, *self.kinds) if each is not None), "")

    @property
    def texts(self) -> Classifier | Interests | None:
        """What is learned of texts; None where it is of an entity's features."""
        return self.classifier or self.interests
