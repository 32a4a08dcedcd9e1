"""Kinds about when things happen in a window: local hours, days and months, and how much it came to lately."""

from collections.abc import Iterator, Mapping
from typing import Literal

from limner.language.feature_base import Fault, FeatureBase, Read, Windowed
from limner.language.features.aggregates import Count, Sum
from limner.language.features.picks import Max
from limner.language.scalars import Bool, Filled
from limner.language.types import NUMBERS, LogicalType, OutputType


class Histogram(Windowed):
    """Rows by local hour (24), weekday (7, Monday first) or month (12), as counts or as shares that add up to 1.

    Counts are 0 when empty, shares null.
    """

    kind = "histogram"
    histogram: Literal["hour", "weekday", "month"]
    share: Bool = False

    @property
    def column(self) -> str | None:
        """None: it counts rows."""
        return None

    @property
    def zoned(self) -> bool:
        """Always: hours are local."""
        return True

    @property
    def bins(self) -> int:
        """The length of the list."""
        return {"hour": 24, "weekday": 7, "month": 12}[self.histogram]

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A list of ints, or of floats."""
        return OutputType("float" if self.share else "int", list=True)


class Rfm(Windowed):
    """Recency, frequency and monetary value: NAME_recency, the time of the newest row; NAME_frequency, the distinct
    `orders` (or rows); NAME_monetary, the sum of a number column.
    """

    kind = "rfm"
    rfm: Filled
    orders: Filled | None = None

    def reads(self) -> tuple[Read, ...]:
        """The amount, the order, and when a row happened."""
        amount = Read(("rfm",), self.rfm, NUMBERS, "rfm takes numbers")
        orders = () if self.orders is None else (Read(("orders",), self.orders),)
        return (amount, *orders, Read(("rfm",), "event_timestamp"))

    def expand(self, name: str) -> tuple[tuple[str, FeatureBase], ...]:
        """What it is short for."""
        common = {"over": self.over, "where": self.where, "from": self.from_, "description": self.description}
        frequency = (
            Count(count="*", **common) if self.orders is None else Count(count=self.orders, distinct=True, **common)
        )
        return (
            (f"{name}_recency", Max(max="event_timestamp", **common)),
            (f"{name}_frequency", frequency),
            (f"{name}_monetary", Sum(sum=self.rfm, **common)),
        )

    def names(self, name: str) -> tuple[str, ...]:
        """The names of all three, one a window."""
        return tuple(output for part, plain in self.expand(name) for output in plain.names(part))

    def faults(self) -> Iterator[Fault]:
        """Both are columns."""
        yield from super().faults()
        if self.orders == "*":
            yield ("orders",), 'orders names a column: without it rows are counted, so "*" can go', False
