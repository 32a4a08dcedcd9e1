"""The kind that says which segment an entity is in."""

from typing import Literal

from limner.language.derived_base import OperandTypes
from limner.language.features.asking import Asking
from limner.language.scalars import Filled
from limner.language.types import LogicalType, OutputType

_TYPES: dict[str, LogicalType] = {"id": "int", "name": "string", "distance": "float"}


class Segment(Asking):
    """The segment that an entity is in, as a model of segments draws them: its number, its name, or how far it is.

    At an instant the version with the latest cut-off speaks; a segment keeps its number and its name from version to
    version. Number 0, called none: it is in no segment. Null before the first cut-off, and where nothing is known that
    the model reads. What it reads must be features of the view's `views`.
    """

    kind = "segment"
    asks = "segments"
    vectors = True
    takes_words = "numbers and vectors"
    segment: Filled
    gives: Literal["id", "name", "distance"] = "id"

    @property
    def wanted(self) -> str:
        """What it `gives`."""
        return self.gives

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """A whole number, a text or a float."""
        return OutputType(_TYPES[self.gives])
