"""Kinds that pick values out of a window."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from limner.language.feature_base import FeatureBase, Windowed
from limner.language.scalars import Filled, Int, Scalar
from limner.language.types import LogicalType, OutputType


class Min(Windowed):
    """Least value. Null when empty."""

    kind = "min"
    min: Filled
    default: Scalar | None = None


class Max(Windowed):
    """Greatest value. Null when empty."""

    kind = "max"
    max: Filled
    default: Scalar | None = None


class First(Windowed):
    """Oldest value that is not null. Null when empty."""

    kind = "first"
    first: Filled
    default: Scalar | None = None

    @property
    def order_matters(self) -> bool:
        """One row wins."""
        return True


class Last(Windowed):
    """Newest value that is not null. Null when empty."""

    kind = "last"
    last: Filled
    default: Scalar | None = None

    @property
    def order_matters(self) -> bool:
        """One row wins."""
        return True


class Latest(FeatureBase):
    """An attribute: the column as the newest known row has it, null included."""

    kind = "latest"
    latest: Filled
    default: Scalar | None = None

    @property
    def order_matters(self) -> bool:
        """One row wins."""
        return True


class Top(Windowed):
    """The k most frequent values, most frequent first, ties by value. Null when empty."""

    kind = "top"
    top: Annotated[Int, Field(ge=1, le=100)]
    of: Filled
    default: tuple[Scalar, ...] | None = None

    @property
    def column_key(self) -> str:
        """The column of categories."""
        return "of"

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A list of the column's type."""
        return OutputType(columns[self.of], list=True)
