"""Kinds of rows, in the plainest Python: what is more than the values of one column."""

import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from limner.language.feature_base import FeatureBase
from tests.oracle.cleaning import Event
from tests.oracle.conditions import holds
from tests.oracle.habits import gap, streak
from tests.oracle.instants import from_micros
from tests.oracle.values import total


def _latest(feature: FeatureBase, events: list[Event], _zone: str) -> Any:
    return events[-1].row[feature.latest] if events else None  # type: ignore[attr-defined]


def _slope(feature: FeatureBase, events: list[Event], _zone: str) -> float | None:
    """Least squares over days."""
    points = [(Fraction(e.at, 86_400_000_000), Fraction(e.row[feature.column])) for e in events  # type: ignore[arg-type,index]
              if e.row[feature.column] is not None]  # type: ignore[index]  # fmt: skip
    if len({at for at, _ in points}) < 2:
        return None
    middle = sum((at for at, _ in points), Fraction(0)) / len(points)
    rise = sum(((at - middle) * value for at, value in points), Fraction(0))
    return _float(rise / sum(((at - middle) ** 2 for at, _ in points), Fraction(0)))


def _float(value: Fraction) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def ratio(feature: FeatureBase, inside: list[Event], before: list[Event]) -> float | None:
    """What the rows of a window come to, over what those of the window before do."""
    whole = _sum_of(feature, before)
    found = _sum_of(feature, inside) / whole if whole != 0 else math.inf
    return found if math.isfinite(found) else None


def _sum_of(feature: FeatureBase, events: list[Event]) -> float:
    column = feature.column
    return float(len(events) if column is None else total(e.row[column] for e in events if e.row[column] is not None))


def _histogram(feature: FeatureBase, events: list[Event], zone: str) -> list[Any] | None:
    unit = feature.histogram  # type: ignore[attr-defined]
    clocks = [from_micros(event.at).astimezone(ZoneInfo(zone)) for event in events if event.at is not None]
    read = {"hour": lambda t: t.hour, "weekday": lambda t: t.weekday(), "month": lambda t: t.month - 1}[unit]
    found = Counter(read(clock) for clock in clocks)
    bins = [found[n] for n in range({"hour": 24, "weekday": 7, "month": 12}[unit])]
    if not feature.share:  # type: ignore[attr-defined]
        return bins
    return [n / len(clocks) for n in bins] if clocks else None


def _share(feature: FeatureBase, events: list[Event], _zone: str) -> float | None:
    assert feature.where is not None
    whole = _sum_of(feature, events)
    part = _sum_of(feature, [event for event in events if holds(feature.where.text, event.row)])
    return part / whole if whole != 0 else None


# By kind: the feature, its rows in a window (all of them, if its condition picks a part), and the zone of local time.
KINDS: dict[str, Callable[[FeatureBase, list[Event], str], Any]] = {
    "latest": _latest,
    "trend": _slope,
    "histogram": _histogram,
    "share": _share,
    "gap": gap,
    "streak": streak,
}
