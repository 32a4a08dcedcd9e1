"""Gaps: the time between consecutive events of a window, in days."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from limner.language import features as f
from limner.language.durations import MICROS
from limner.workers.windows import column as c
from limner.workers.windows import cover, exact, quantiles, spans, totals
from limner.workers.windows.rows import Ints, Rows, running

_DAY = MICROS["d"]
_EXACT = 1 << 53  # whole numbers up to here are floats


@dataclass(frozen=True)
class Gaps:
    """Time (µs, > 0) between events that are neighbours at the places first <= place < last, earlier gaps first."""

    length: Ints
    first: Ints
    last: Ints


def gap(feature: f.Gap, rows: Rows) -> c.Output:
    """One statistic of the gaps between distinct event instants, exact and rounded once."""
    found = between(rows)
    count = running(found.first, found.last, rows.places)
    match feature.gap:
        case "mean":
            total, _ = exact.to_int64(exact.spans(exact.of_ints(found.length), found.first, found.last, rows.places))
            days = _quotients(total, np.maximum(count, 1) * _DAY)
        case "std":
            lengths = exact.of_ints(found.length)
            linear, squares = (
                exact.spans(each, found.first, found.last, rows.places) for each in (lengths, exact.square(lengths))
            )
            days = totals.deviations(linear, squares, count, unit=_DAY)
            return c.of_floats(days, count > 1, feature.default)
        case "longest":
            days = _days(cover.best(found.first, found.last, found.length, rows.places))
        case "shortest":
            most = int(found.length.max(initial=0))
            days = _days(most - cover.best(found.first, found.last, most - found.length, rows.places))
        case "newest":
            won = cover.best(found.first, found.last, np.arange(len(found.length)), rows.places)
            days = _days(np.append(found.length, 0)[won])
        case "median":
            days = _medians(found, count)
    return c.of_floats(days, count > 0, feature.default)


def _medians(found: Gaps, count: Ints) -> c.Floats:
    """The middle gap at each place, or the mean of the two in the middle; 0 where there is none."""
    lengths, code = np.unique(found.length, return_inverse=True)
    some = np.flatnonzero(count)
    middle = np.concatenate([(count[some] - 1) // 2, count[some] // 2])
    both = lengths[quantiles.kth(found.first, found.last, code, np.tile(some, 2), middle)] if len(some) else lengths
    result = np.zeros(len(count))
    result[some] = _quotients(both[: len(some)] + both[len(some) :], np.full(len(some), 2 * _DAY))
    return result


def between(rows: Rows) -> Gaps:
    """The gaps of each entity. Rows of one instant are one event."""
    instants, rank = np.unique(rows.time, return_inverse=True)
    width = len(instants) + 1
    events = spans.union(rows.entity * width + rank, rows.first, rows.last, rows.places)
    entity, rank = np.divmod(events.group, width)
    # Where events come and go in the order of time, those next to each other are neighbours wherever both count.
    same = entity[1:] == entity[:-1]
    astray = (events.first[1:] < events.first[:-1]) | (events.last[1:] < events.last[:-1]) | (rank[1:] == rank[:-1])
    some = np.unique(entity[1:][same & astray])
    left = np.flatnonzero(same & ~np.isin(entity[1:], some))
    found = [np.stack([rank[left], rank[left + 1], events.first[left + 1], events.last[left]])]
    for each in some.tolist():
        begin, end = np.searchsorted(entity, [each, each + 1])
        neighbours = _neighbours(spans.Union(*(a[begin:end] for a in (rank, events.first, events.last))))
        found.append(np.array([*neighbours], np.int64).reshape(-1, 4).T)
    earlier, later, first, last = np.concatenate(found, axis=1)
    order = np.flatnonzero(first < last)
    order = order[np.argsort(later[order], kind="stable")]
    return Gaps(instants[later[order]] - instants[earlier[order]], first[order], last[order])


def _neighbours(events: spans.Union) -> Iterator[tuple[int, int, int, int]]:
    """(earlier, later, first, last) of events that are neighbours: events of one entity come and go, place by place."""
    moves = [(place, 1, at) for at, place in zip(events.group.tolist(), events.first.tolist(), strict=True)]
    moves += [(place, 0, at) for at, place in zip(events.group.tolist(), events.last.tolist(), strict=True)]
    there: list[int] = []
    since: dict[int, int] = {}  # of each event that has a later neighbour: the place from which on it has this one
    for place, comes, event in sorted(moves):
        at = bisect_left(there, event)
        before = there[at - 1] if at else None
        after = there[at + (not comes)] if at + (not comes) < len(there) else None
        if comes:
            there.insert(at, event)
            if before is not None and after is not None:
                yield before, after, since[before], place
            if before is not None:
                since[before] = place
            if after is not None:
                since[event] = place
        else:
            del there[at]
            if before is not None:
                yield before, event, since.pop(before), place
            if after is not None:
                yield event, after, since.pop(event), place
            if before is not None and after is not None:
                since[before] = place


def _days(length: Ints) -> c.Floats:
    """Lengths in days, each rounded once."""
    return _quotients(length, np.full(len(length), _DAY))


def _quotients(top: Ints, bottom: Ints) -> c.Floats:
    """Quotients of whole numbers, the lower ones positive, each rounded once."""
    result = top / bottom
    for at in np.flatnonzero((np.abs(top) > _EXACT) | (bottom > _EXACT)).tolist():
        result[at] = int(top[at]) / int(bottom[at])
    return result
