"""Kinds about the categories in a window."""

from collections.abc import Mapping

from limner.language.feature_base import Windowed
from limner.language.scalars import Filled, Number, Scalar
from limner.language.types import LogicalType, OutputType


class Mode(Windowed):
    """The most frequent value, of several the least. Null when empty."""

    kind = "mode"
    mode: Filled
    default: Scalar | None = None


class Entropy(Windowed):
    """Shannon entropy, in nats, of how often each value occurs: 0 for one value, ln n for n equally frequent ones.

    Null when empty. `ln N - (1/N) sum c ln c`, where N values are counted and c is how often each occurs.
    """

    kind = "entropy"
    entropy: Filled
    default: Number | None = None

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A float."""
        return OutputType("float")
