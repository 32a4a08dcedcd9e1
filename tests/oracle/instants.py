"""Instants in the plainest Python: what a source's timestamp means, in microseconds since 1970 UTC."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from limner.language.models import Grid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
MONDAY = 4 * 86_400_000_000  # 1970-01-05, µs


def to_micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC of an aware datetime."""
    return (moment - EPOCH) // MICRO


def from_micros(micros: int) -> datetime:
    """The aware datetime, in UTC."""
    return EPOCH + timedelta(microseconds=micros)


def read(moment: datetime, zone: str) -> datetime:
    """The UTC instant of `moment`; one without an offset is a local time of `zone`.

    A local time that happens twice is the earlier instant; one that never happens, the instant clocks jump.
    """
    if moment.tzinfo is not None:
        return moment.astimezone(UTC)
    before = moment.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    if before.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == moment:
        return before
    after = moment.replace(tzinfo=ZoneInfo(zone), fold=1).astimezone(UTC)
    return _jump(min(before, after), max(before, after), ZoneInfo(zone))


def _jump(low: datetime, high: datetime, zone: ZoneInfo) -> datetime:
    """The first instant in (low, high] at which `zone` has the offset it has at `high`, by halving."""
    offset = high.astimezone(zone).utcoffset()
    while high - low > MICRO:
        middle = low + (high - low) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return high


def last_tick(grid: Grid, instant: int) -> int:
    """The last instant of the grid at or before `instant`; any instant is one of `every: event`."""
    if grid.step is None:
        return instant
    origin = MONDAY + grid.offset
    return origin + (instant - origin) // grid.step * grid.step
