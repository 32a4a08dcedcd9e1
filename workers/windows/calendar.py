"""Local time: where days, weeks, months, quarters and years begin in a zone, and how far its clocks are from UTC.

Instants are µs since 1970 UTC. A day begins at its local midnight: the earlier one where the clocks pass it twice, the
instant of the jump where they skip it. A date that a zone never had (it crossed the date line) has no day.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from limner.language.durations import MICROS, micros_of
from limner.language.windows import Unit

Ints = npt.NDArray[np.int64]
_DAY = MICROS["d"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -718_000, 2_920_000  # days since 1970, years 4 to 9964: Python's dates can be moved about in them
_MONTHS: dict[Unit, int] = {"month": 1, "quarter": 3, "year": 12}


def next_beginning(time: Ints, unit: Unit, zone: str, count: int) -> Ints:
    """For each instant the `count`-th beginning of a period after it (1: the next one; 0: the instant after it)."""
    if count == 0 or not len(time):
        return time + 1
    beginnings = _beginnings(time, unit, zone, count)
    result: Ints = beginnings[np.searchsorted(beginnings, time, side="right") + count - 1]
    return result


def _beginnings(time: Ints, unit: Unit, zone: str, count: int) -> Ints:
    """Beginnings of the periods around all instants, ascending; after each instant `count` follow without a gap."""
    periods = set()
    for day in np.unique(np.clip(time // _DAY, _FIRST, _LAST)).tolist():
        today = date(1970, 1, 1) + timedelta(days=day)
        near = {_floor(today + timedelta(days=beside), unit) for beside in range(-2, 3)}
        periods |= near
        last = max(near)
        for _ in range(count + 2):  # two more than asked for: dates that a zone skipped begin with their next one
            last = _following(last, unit)
            periods.add(last)
    found = np.unique(np.array([day_beginning(period, zone) for period in periods], np.int64))
    # Instants beyond the years of Python's dates are in one long period: they are never in a run.
    return np.append(found, np.full(count, 2**62))


def _floor(day: date, unit: Unit) -> date:
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(days=day.weekday())
    months = _MONTHS[unit]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


def _following(day: date, unit: Unit) -> date:
    if unit in ("day", "week"):
        return day + timedelta(days=1 if unit == "day" else 7)
    month = day.year * 12 + day.month - 1 + _MONTHS[unit]
    return date(month // 12, month % 12 + 1, 1)


@lru_cache(maxsize=1 << 16)
def day_beginning(day: date, zone: str) -> int:
    """The first instant of a local date; where there was no such date, that of the next one."""
    local = ZoneInfo(zone)
    midnight = datetime(day.year, day.month, day.day, tzinfo=local)
    instant = micros_of(midnight.astimezone(UTC))
    if _local(instant, local) == midnight.replace(tzinfo=None):
        return instant
    # Skipped: the jump lies between the readings of midnight with the clocks' offsets after and before it.
    low, high = micros_of(midnight.replace(fold=1).astimezone(UTC)), instant
    after = offset(high, zone)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if offset(middle, zone) == after else (middle, high)
    return high


def offset(instant: int, zone: str) -> int:
    """How far local time is ahead of UTC at an instant, in µs."""
    local = _local(instant, ZoneInfo(zone))
    return micros_of(local.replace(tzinfo=UTC)) - instant


def _local(instant: int, zone: ZoneInfo) -> datetime:
    return (_EPOCH + timedelta(microseconds=instant)).astimezone(zone).replace(tzinfo=None)


def local(time: Ints, zone: str) -> Ints:
    """The wall clock of a zone at each instant, as µs since 1970 of that clock."""
    if not len(time):
        return time
    within = np.clip(time, _FIRST * _DAY, _LAST * _DAY)
    days, where = np.unique(within // _DAY, return_inverse=True)
    starts = np.array([offset(day * _DAY, zone) for day in days.tolist()], np.int64)
    ends = np.array([offset((day + 1) * _DAY, zone) for day in days.tolist()], np.int64)
    ahead = starts[where]
    # Within a day of UTC whose ends have one offset no clock jumps; the rows of other days are looked up.
    for row in np.flatnonzero((starts != ends)[where]).tolist():
        ahead[row] = offset(int(within[row]), zone)
    result: Ints = time + ahead
    return result
