"""Streaks: runs of consecutive local days (weeks, months) with an event."""

from bisect import bisect_right, insort
from collections.abc import Iterator

import numpy as np

from limner.language import features as f
from limner.workers.windows import calendar, cover, spans
from limner.workers.windows import column as c
from limner.workers.windows.rows import Ints, Rows

Run = tuple[int, int, int, int]  # newest day, number of days, first place, last place


def streak(feature: f.Streak, rows: Rows) -> c.Output:
    """The length of the longest run, or of the one that ends in the newest day with a row; 0 without rows."""
    newest, length, first, last = runs(rows, feature.unit)
    if feature.streak == "longest":
        return c.of_ints(np.maximum(cover.best(first, last, length, rows.places), 0))
    order = np.argsort(newest, kind="stable")
    won = cover.best(first[order], last[order], np.arange(len(order)), rows.places)
    return c.of_ints(np.append(length[order], 0)[won])


def runs(rows: Rows, unit: f.StreakUnit) -> tuple[Ints, Ints, Ints, Ints]:
    """(newest day, number of days, first place, last place) of each run while it lasts; days by their order."""
    days, of_row = np.unique(rows.time, return_inverse=True)
    ends = calendar.next_beginning(days, unit, rows.zone, 1)
    follow = calendar.next_beginning(days, unit, rows.zone, 2)
    # A number a day: the one after it has the next number, any other later day a greater one.
    fresh = spans.new_group(ends)
    beside = np.append(False, ends[1:] == follow[:-1])[: len(days)]
    number = np.cumsum(np.where(fresh, np.where(beside, 1, 2), 0))[of_row]
    # Numbers begin with 2, so the last day of an entity is never beside the first day of the next entity.
    width = int(number.max(initial=0)) + 1
    visits = spans.union(rows.entity * width + number, rows.first, rows.last, rows.places)
    entity, day = np.divmod(visits.group, width)
    same = entity[1:] == entity[:-1]
    astray = (visits.first[1:] < visits.first[:-1]) | (visits.last[1:] < visits.last[:-1]) | (day[1:] == day[:-1])
    some = np.unique(entity[1:][same & astray])
    plain = ~np.isin(entity, some)
    found = [_in_order(visits.group[plain], day[plain], visits.first[plain], visits.last[plain], rows.places)]
    for each in some.tolist():
        begin, end = np.searchsorted(entity, [each, each + 1])
        swept = _sweep(spans.Union(*(a[begin:end] for a in (day, visits.first, visits.last))))
        found.append(np.array([*swept], np.int64).reshape(-1, 4).T)
    newest, length, first, last = np.concatenate(found, axis=1)
    kept = first < last
    return newest[kept], length[kept], first[kept], last[kept]


def _in_order(group: Ints, day: Ints, first: Ints, last: Ints, places: int) -> Ints:
    """Runs of days that come and go in their order: of a chain of consecutive days those that count stand together."""
    chain = np.cumsum(np.append(True, group[1:] != group[:-1] + 1)[: len(group)])
    stages = spans.stages(chain, first, last, places)
    come = np.bincount(stages.first, minlength=stages.size)
    go = np.bincount(stages.last, minlength=stages.size)
    length = np.cumsum(come - go)
    some = np.flatnonzero(length)
    return np.stack([day[np.cumsum(come)[some] - 1], length[some], stages.place[some], stages.place[some + 1]])


def _sweep(visits: spans.Union) -> Iterator[Run]:
    """Runs of one entity whose days come and go in any order, place by place."""
    moves = [(place, 0, day) for day, place in zip(visits.group.tolist(), visits.last.tolist(), strict=True)]
    moves += [(place, 1, day) for day, place in zip(visits.group.tolist(), visits.first.tolist(), strict=True)]
    begins: list[int] = []
    runs: dict[int, tuple[int, int]] = {}  # by the first day: the last day, and the place since which the run is so

    def close(at: int, place: int) -> Run:
        low = begins.pop(at)
        high, since = runs.pop(low)
        return high, high - low + 1, since, place

    def begin(low: int, high: int, place: int) -> None:
        insort(begins, low)
        runs[low] = high, place

    for place, comes, day in sorted(moves):
        at = bisect_right(begins, day) - 1
        low = high = day
        if comes:
            if at + 1 < len(begins) and begins[at + 1] == day + 1:
                high = runs[day + 1][0]
                yield close(at + 1, place)
            if at >= 0 and runs[begins[at]][0] == day - 1:
                low = begins[at]
                yield close(at, place)
            begin(low, high, place)
            continue
        low, high = begins[at], runs[begins[at]][0]
        yield close(at, place)
        if low < day:
            begin(low, day - 1, place)
        if day < high:
            begin(day + 1, high, place)
