"""Gaps and streaks in the plainest Python."""

from fractions import Fraction
from itertools import pairwise
from statistics import median

from limner.language.feature_base import FeatureBase
from limner.language.features import Gap, Streak
from tests.oracle.calendar import beginnings
from tests.oracle.cleaning import Event
from tests.oracle.values import root

DAY = 86_400_000_000


def gap(feature: FeatureBase, events: list[Event], _zone: str) -> float | None:
    """A statistic of the days between consecutive distinct instants, exact and rounded once."""
    assert isinstance(feature, Gap)
    instants = sorted({event.at for event in events})  # type: ignore[type-var]
    days = [Fraction(b - a, DAY) for a, b in pairwise(instants)]  # type: ignore[operator]
    if not days:
        return None
    if feature.gap == "std":
        if len(days) < 2:
            return None
        mean = sum(days) / len(days)
        return root(sum((day - mean) ** 2 for day in days) / Fraction(len(days) - 1))
    found = {
        "mean": sum(days) / len(days),
        "longest": max(days),
        "shortest": min(days),
        "newest": days[-1],
        "median": median(days),
    }
    return float(found[feature.gap])


def streak(feature: FeatureBase, events: list[Event], zone: str) -> int:
    """How many days in a row have an event: at most, or up to the newest of them."""
    assert isinstance(feature, Streak)
    days: dict[int, int] = {}  # when a day with an event begins, and when the next day does
    for event in events:
        around = beginnings(feature.unit, event.at, zone)  # type: ignore[arg-type]
        begin = max(at for at in around if at <= event.at)  # type: ignore[operator]
        days[begin] = min(at for at in around if at > event.at)  # type: ignore[operator]
    lengths = []
    for first in sorted(days):
        length, day = 0, first
        while day in days:
            length, day = length + 1, days[day]
        if first not in days.values():
            lengths.append(length)
    if not lengths:
        return 0
    return max(lengths) if feature.streak == "longest" else lengths[-1]
