"""Which rows come into a window or leave it while a run's interval passes: those of some stretches of event time."""

from collections.abc import Callable, Iterable

import numpy as np

from limner.language.windows import Calendar, Lifetime, Since, Sliding, Window
from limner.workers.windows import calendar

Stretch = tuple[int, int]  # low <= event timestamp < high, µs


def stretches(windows: Iterable[Window], after: int, until: int) -> tuple[Stretch, ...]:
    """Ascending and apart: where rows lie that enter one of the windows, other than by becoming known, or leave it in
    (after, until].
    """
    found = [each for window in windows for each in _of(window, after, until)]
    joined: list[Stretch] = []
    for low, high in sorted(each for each in found if each[0] < each[1]):
        if joined and low <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(joined[-1][1], high)
        else:
            joined.append((low, high))
    return tuple(joined)


def _of(window: Window, after: int, until: int) -> list[Stretch]:
    match window:
        case Sliding(width, shift):
            return [(after - each, until - each) for each in (shift, width + shift) if each]
        case Calendar(unit, back, zone):

            def begins(count: int) -> Stretch:
                def at(time: int) -> int:
                    return int(calendar.next_beginning(np.array([time]), unit, zone, count)[0])

                low = after - window.reach - 1
                return _first(lambda time: at(time) > after, low, until), _first(
                    lambda time: at(time) > until, low, until + 1
                )

            return [begins(count) for count in (back, back + 1) if count]
        case Since(other, since):
            entering = [(-(2**62), until)] if after < since <= until else []
            return [*_of(other, after, until), *entering]
        case Lifetime():
            return []


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The least instant from `low` on at which it holds, if it goes on holding; `high` where that is later."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
