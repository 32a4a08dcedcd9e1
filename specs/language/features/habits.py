"""Kinds that look at when events happen, and in which order."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from limner.language.feature_base import Windowed
from limner.language.scalars import Bool, Filled, Int, Number, Scalar
from limner.language.types import LogicalType, OutputType

GapStatistic = Literal["mean", "std", "longest", "shortest", "newest", "median"]
StreakUnit = Literal["day", "week", "month"]


class Gap(Windowed):
    """Days between consecutive events (rows of one instant are one event): a statistic. Null with fewer than two."""

    kind = "gap"
    gap: GapStatistic
    default: Number | None = None

    @property
    def column(self) -> str | None:
        """None: it looks at when rows happened."""
        return None

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A float."""
        return OutputType("float")


class Streak(Windowed):
    """Consecutive local days (weeks, months) with a row: the longest run, or the one that ends in the newest one."""

    kind = "streak"
    streak: Literal["longest", "current"]
    unit: StreakUnit = "day"

    @property
    def column(self) -> str | None:
        """None: it looks at when rows happened."""
        return None

    @property
    def zoned(self) -> bool:
        """A day is one of the view's time zone."""
        return True

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """An int."""
        return OutputType("int")


class Sequence(Windowed):
    """The newest n values that are not null, newest first; with `distinct`, equal ones once. Null when empty."""

    kind = "sequence"
    sequence: Annotated[Int, Field(ge=1, le=1000)]
    of: Filled
    distinct: Bool = False
    default: tuple[Scalar, ...] | None = None

    @property
    def column_key(self) -> str:
        """The column of values."""
        return "of"

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A list of the column's type."""
        return OutputType(columns[self.of], list=True)

    @property
    def order_matters(self) -> bool:
        """Of several tied rows one comes first."""
        return True
