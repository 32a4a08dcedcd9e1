"""Kinds that compare a window's earlier and later part."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from limner.language.feature_base import Fault, OfNumbers
from limner.language.scalars import Filled, Number
from limner.language.windows import Window


class Trend(OfNumbers):
    """How a column moves: its least-squares slope per day, or with `as: ratio` its sum over that of the window before.

    The slope is null with fewer than two distinct times, the ratio where the earlier sum is 0.
    """

    kind = "trend"
    star = True
    trend: Filled
    as_: Literal["slope", "ratio"] = Field("slope", alias="as")
    default: Number | None = None

    def looks(self, window: Window) -> tuple[Window, ...]:
        """A ratio looks at the window before as well."""
        before = window.before
        return (window,) if self.as_ == "slope" or before is None else (window, before)

    def faults(self) -> Iterator[Fault]:
        """A slope is one of values, and nothing lies before a lifetime."""
        if self.as_ == "slope" and self.trend == "*":
            yield ("trend",), 'a slope needs a column: "*" (rows) is for as: ratio', False
        if self.as_ == "ratio":
            for i, written in enumerate(self.written):
                if written == "lifetime":
                    text = "as: ratio compares a window with the one before it: add e.g. over: 30d or over: last_month"
                    yield ("over", i) if isinstance(self.over, tuple) else ("over",), text, False
