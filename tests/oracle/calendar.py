"""Local days, weeks, months, quarters and years in the plainest Python."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from tests.oracle.instants import from_micros, read, to_micros


def beginnings(unit: str, instant: int, zone: str) -> list[int]:
    """When periods begin in a zone, from two before `instant` (µs) or more to two after it or more."""
    return _beginnings(unit, from_micros(instant).astimezone(ZoneInfo(zone)).date(), zone)


@lru_cache(maxsize=1 << 14)
def _beginnings(unit: str, around: date, zone: str) -> list[int]:
    reach = {"day": 6, "week": 30, "month": 130, "quarter": 400, "year": 1500}[unit]
    days = [datetime(around.year, around.month, around.day) + timedelta(days=n) for n in range(-reach, reach + 1)]
    firsts = [day for day in days if _is_first(unit, day)]
    return sorted({to_micros(read(day, zone)) for day in firsts})


def _is_first(unit: str, day: datetime) -> bool:
    months = {"month": 1, "quarter": 3, "year": 12}
    return unit == "day" or (
        day.weekday() == 0 if unit == "week" else day.day == 1 and (day.month - 1) % months[unit] == 0
    )


def period(window: str, instant: int, zone: str, *, before: bool = False) -> tuple[int, int]:
    """The half-open interval of `this_month` or `last_month` as of an instant; this month's ends at the instant.

    `before`: the whole period before that.
    """
    which, unit = window.split("_")
    past = [begin for begin in beginnings(unit, instant, zone) if begin <= instant]
    back = ["this", "last"].index(which) + before
    return (past[-1], instant) if back == 0 else (past[-1 - back], past[-back])
