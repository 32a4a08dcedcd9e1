"""Folders that say when: which stretch of local time a file claims, so that files no run needs are not read.

`partitions: {dt: day}` reads `2026-01-31` (also `20260131`); a month is `2026-01`, an hour `2026-01-31T05`, a year
`2026`. Where the larger parts have folders of their own, a number is enough (`year=2026/month=01/day=31`). A folder
that says nothing of the kind claims nothing: its files are always read, and their rows may lie at any time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import get_args
from zoneinfo import ZoneInfo

from limner.language.errors import LimnerError
from limner.language.models import Part, Source
from limner.workers.sources.files import Files

_UNITS: tuple[Part, ...] = get_args(Part)[::-1]  # year, month, day, hour
_WHOLE = re.compile(r"(\d{4})(?:-?(\d{2})(?:-?(\d{2})(?:[T _-]?(\d{2})(?::?00){0,2})?)?)?")
_NUMBER = re.compile(r"\d{1,2}")
_MICRO = timedelta(microseconds=1)
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Claim:
    """A stretch of local time [low, high), in µs since 1970 as if it were UTC; its instants lie in [first, last).

    `jump` is the instant (µs UTC) that local times which the clocks skip at its end stand for; None: none are skipped.
    """

    low: int
    high: int
    first: int
    last: int
    jump: int | None


def check_keys(source: Source, files: Files) -> None:
    """LimnerError where a declared partition is no folder's key."""
    for key in source.partitions:
        old = source.rename.get(key, key)
        if old not in files.keys:
            there = f"folders say {', '.join(files.keys)}" if files.keys else "no folder is named key=value"
            raise LimnerError(
                f"source {source.source!r}: partitions has {key!r}, but {there}: correct partitions or path"
            )


def claims(source: Source, files: Files) -> list[Claim | None]:
    """For each file what its folders claim; None where they claim nothing."""
    keys = {part: files.keys[source.rename.get(key, key)] for key, part in source.partitions.items()}
    return [_claim({part: texts[n] for part, texts in keys.items()}, source.timezone) for n in range(len(files))]


def needed(claim: Claim | None, low: int | None, end: int) -> bool:
    """Whether rows with low <= event timestamp < end (µs UTC) may be in the file; `low` None: no bound."""
    return claim is None or (claim.first < end and (low is None or claim.last > low))


def _claim(texts: Mapping[Part, str | None], zone: str) -> Claim | None:
    numbers: dict[Part, int] = {}
    for unit in _UNITS:
        for part, number in _read(unit, texts[unit] or "").items() if unit in texts else ():
            if numbers.setdefault(part, number) != number:
                return None  # the folders contradict each other
    finest = next((unit for unit in reversed(_UNITS) if unit in texts), None)
    if finest is None or any(unit not in numbers for unit in _UNITS[: _UNITS.index(finest) + 1]):
        return None
    return _stretch(finest, tuple(numbers[unit] for unit in _UNITS if unit in numbers), zone)


def _read(unit: Part, text: str) -> dict[Part, int]:
    """The numbers that one folder says, by unit; none where it cannot be read."""
    count = _UNITS.index(unit) + 1
    if unit != "year" and _NUMBER.fullmatch(text):
        return {unit: int(text)}
    match = _WHOLE.fullmatch(text)
    said = [group for group in match.groups() if group is not None] if match else []
    return dict(zip(_UNITS, map(int, said), strict=False)) if len(said) == count else {}


@lru_cache(maxsize=1 << 16)
def _stretch(unit: Part, numbers: tuple[int, ...], zone: str) -> Claim | None:
    year, month, day, hour = (*numbers, *(0, 1, 1, 0)[len(numbers) :])
    try:
        low = datetime(year, month, day, hour)
        high = _next(low, unit)
        near = [moment + timedelta(hours=hours) for moment in (low, high) for hours in (-26, 0, 26)]
        # every offset that is in force near the stretch: its instants lie between the extremes
        offsets = [moment.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).utcoffset() for moment in near]
    except (ValueError, OverflowError):
        return None
    known = [offset for offset in offsets if offset is not None]
    first, last = _micros(low - max(known)), _micros(high - min(known))
    jump = _jump(high, zone)
    return Claim(_micros(low), _micros(high), first, last if jump is None else max(last, jump + 1), jump)


def _next(low: datetime, unit: Part) -> datetime:
    if unit == "year":
        return low.replace(year=low.year + 1)
    if unit == "month":
        return (low + timedelta(days=31)).replace(day=1)
    return low + (timedelta(days=1) if unit == "day" else timedelta(hours=1))


def _jump(high: datetime, zone: str) -> int | None:
    """Where the last local time before `high` does not exist and stands for an instant whose local time is later."""
    import pyarrow as pa
    import pyarrow.compute as pc

    last = pa.array([high - _MICRO], pa.timestamp("us"))
    instant = pc.assume_timezone(last, zone, ambiguous="earliest", nonexistent="latest")
    local = pc.local_timestamp(instant).cast(pa.int64())[0].as_py()
    return int(instant.cast(pa.int64())[0].as_py()) if local >= _micros(high) else None


def _micros(local: datetime) -> int:
    return (local - _EPOCH) // _MICRO
