"""Instants: zones, daylight saving, resolutions, text and numbers, against plain Python."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.language.durations import micros_of
from limner.language.errors import LimnerError
from limner.workers.sources.duck import connection
from limner.workers.sources.instants import FIRST, LAST, Instants, everyday_micros

quick = settings(deadline=None, max_examples=50)
ZONES = ["UTC", "America/New_York", "Europe/Paris", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia"]


@pytest.fixture(scope="module")
def instants() -> Iterator[dict[str, Any]]:
    """A connection and its Instants. Hypothesis remembers what tests were given: so the box is emptied in the end."""
    with connection(None, threads=1) as database:
        box: dict[str, Any] = {"database": database, "instants": Instants(database)}
        yield box
        box.clear()


def read(instants: Any, values: pa.Array, physical: str, zone: str) -> list[int | None]:
    database, writer = instants["database"], instants["instants"]
    database.register("given", pa.table({"x": values}))
    rows = database.execute(f"SELECT {writer.micros('x', physical, zone)} FROM given").fetchall()
    return [row[0] for row in rows]


def by_hand(local: datetime, zone: str) -> int:
    """The earlier instant of an ambiguous time; the instant the clocks jump for one they skip."""
    tz = ZoneInfo(zone)
    candidate = local.replace(tzinfo=tz, fold=0)
    if candidate.astimezone(UTC).astimezone(tz).replace(tzinfo=None) == local:
        return micros_of(candidate)
    before = micros_of(local.replace(tzinfo=tz, fold=1))  # earlier than the jump
    after = micros_of(candidate)  # later than it
    while after - before > 1:
        middle = (before + after) // 2
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=middle)
        before, after = (middle, after) if moment.astimezone(tz).replace(tzinfo=None) < local else (before, middle)
    return after


@quick
@given(st.lists(st.datetimes(datetime(1990, 1, 1), datetime(2035, 1, 1)), min_size=1), st.sampled_from(ZONES))
def test_naive_timestamps_are_read_in_the_zone(instants: Any, moments: list[datetime], zone: str) -> None:
    found = read(instants, pa.array(moments, pa.timestamp("us")), "TIMESTAMP", zone)
    assert found == [by_hand(moment, zone) for moment in moments]


@pytest.mark.parametrize(
    ("local", "zone", "instant"),
    [
        ("2017-11-05 01:30:00", "America/New_York", "2017-11-05T05:30:00+00:00"),
        ("2017-03-12 02:30:00", "America/New_York", "2017-03-12T07:00:00+00:00"),
        ("2024-04-07 01:45:00", "Australia/Lord_Howe", "2024-04-06T14:45:00+00:00"),
        ("2024-10-06 02:15:00", "Australia/Lord_Howe", "2024-10-05T15:30:00+00:00"),
        ("2011-12-30 12:00:00", "Pacific/Apia", "2011-12-30T10:00:00+00:00"),
    ],
)
def test_an_ambiguous_time_is_the_earlier_and_a_skipped_one_the_jump(
    instants: Any, local: str, zone: str, instant: str
) -> None:
    moment = datetime.fromisoformat(local)
    wanted = micros_of(datetime.fromisoformat(instant))
    assert read(instants, pa.array([moment], pa.timestamp("us")), "TIMESTAMP", zone) == [wanted]
    assert read(instants, pa.array([local]), "VARCHAR", zone) == [wanted]


@quick
@given(st.lists(st.integers(-(10**18), 2 * 10**18), min_size=1))
def test_nanoseconds_are_cut_toward_the_past(instants: Any, counts: list[int]) -> None:
    wanted = [count // 1000 for count in counts]
    assert read(instants, pa.array(counts, pa.timestamp("ns")), "TIMESTAMP_NS", "UTC") == wanted
    assert read(instants, pa.array(counts, pa.timestamp("ns", "UTC")), "TIMESTAMPTZ_NS", "UTC") == wanted


@quick
@given(
    st.lists(
        st.tuples(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)), st.integers(-14 * 60, 14 * 60)), min_size=1
    ),
    st.sampled_from(["Z", "+hh", "+hhmm", "+hh:mm"]),
    st.sampled_from([" ", "T", "t"]),
    st.integers(0, 9),
)
def test_iso_text_with_an_offset_is_exact(
    instants: Any, moments: list[tuple[datetime, int]], style: str, separator: str, digits: int
) -> None:
    written, wanted = [], []
    for moment, given_minutes in moments:
        minutes = {"Z": 0, "+hh": given_minutes // 60 * 60}.get(style, given_minutes)
        sign, size = "-" if minutes < 0 else "+", abs(minutes)
        offset = {
            "Z": "Z",
            "+hh": f"{sign}{size // 60:02}",
            "+hhmm": f"{sign}{size // 60:02}{size % 60:02}",
            "+hh:mm": f"{sign}{size // 60:02}:{size % 60:02}",
        }[style]
        fraction = (f"{moment.microsecond:06}" + "999")[:digits]
        clock = moment.isoformat(separator, "seconds")
        written.append(clock + ("." + fraction if fraction else "") + offset)
        kept = int((fraction + "000000")[:6])
        wanted.append(micros_of(moment.replace(microsecond=kept, tzinfo=UTC)) - minutes * 60_000_000)
    assert read(instants, pa.array(written), "VARCHAR", "Asia/Kathmandu") == wanted


ISO = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[Tt ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?"
    r"(?: ?([Zz]|([+-])(\d{2})(?::?([0-5]\d))?))?)?",
    re.ASCII,
)
days = st.sampled_from(
    ["2026-11-23", "2024-02-29", "2023-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "1969-12-31"]
)
days |= st.builds("{:04}-{:02}-{:02}".format, st.integers(0, 9999), st.integers(0, 13), st.integers(0, 32))
clocks = st.sampled_from(["T12:34:56", " 12:34:56"]) | st.sampled_from(
    ["", "T", " 09:30", "T00:00:00", "t23:59:59", " 02:30:00", "T24:00", "T12:60", "T12:30:60", "T1:02"]
)
fractions = st.sampled_from(
    ["", "", ".123", ".", ".5", ",25", ".999999", ".9999999", ",123456789", ".1234567890", ".٣"]
)
offsets = st.sampled_from(["", "", "Z", "z", " Z", "  Z", "+00:00", "-00:00", "+08", "-0530", " +05:45", "+08:00 "])
offsets |= st.sampled_from(["-99:59", "+23:60", "+1", "UTC"])


def plainly(text: str, zone: str) -> int | None:
    """A text as the documentation has it, in plain Python."""
    found = ISO.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, offset, sign, hours, minutes = found.groups()
    try:  # datetimes end where the years do, before an offset is taken off: so in a year in the middle
        date = datetime(2000 + int(year) % 400, int(month), int(day))
    except ValueError:
        return None
    moment = date + timedelta(hours=int(hour or 0), minutes=int(minute or 0), seconds=int(second or 0))
    moment += timedelta(microseconds=int((fraction or "")[:6].ljust(6, "0")))
    cycles = (int(year) - 2000) // 400 * 146_097 * 86_400_000_000
    if offset is None and zone != "UTC":
        if not 1990 <= int(year) <= 2035:
            return None
        instant = by_hand(moment.replace(year=int(year)), zone)
    else:
        apart = 60 * int(hours or 0) + int(minutes or 0)
        instant = micros_of(moment.replace(tzinfo=UTC)) + cycles - (-apart if sign == "-" else apart) * 60_000_000
    return instant if FIRST <= instant <= LAST else None


@quick
@given(st.lists(st.builds("{}{}{}{}".format, days, clocks, fractions, offsets), min_size=1, max_size=50))
def test_text_is_read_as_documented_and_no_other(instants: Any, texts: list[str]) -> None:
    found = read(instants, pa.array(texts), "VARCHAR", "UTC")
    assert found == [plainly(text, "UTC") for text in texts]
    assert all(everyday_micros(text) in (None, at) for text, at in zip(texts, found, strict=True))
    near = [text for text in texts if re.match("19[9]|20[0-2]", text) or ISO.fullmatch(text) is None]
    assert read(instants, pa.array(near, pa.string()), "VARCHAR", "Europe/Paris") == [
        plainly(text, "Europe/Paris") for text in near
    ]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-23T14:01:07.250Z", datetime(2026, 11, 23, 14, 1, 7, 250_000)),
        ("2026-11-23 14:01:07+05:45", datetime(2026, 11, 23, 8, 16, 7)),
        ("2026-11-23T14:01:07.000001-00:30", datetime(2026, 11, 23, 14, 31, 7, 1)),
        ("2026-11-23T24:01:07Z", None),
        ("2026-11-23T14:01:07+25:00", None),
        ("2026-11-23T14:01:07", None),
    ],
)
def test_everyday_instants_need_no_database(text: str, instant: datetime | None) -> None:
    assert everyday_micros(text) == (None if instant is None else micros_of(instant.replace(tzinfo=UTC)))


@pytest.mark.parametrize(
    "text",
    ["", " ", "yesterday", "2026-02-30", "2026-13-01", "2026-1-5", "2026-01-01T24:00:00", "2026-01-01T10:61",
     "infinity", "2026-01-01T00:00:00 Europe/Paris", "2026-01-01T00:00:00+1", "20260101",
     "0000-01-01", "'; DROP TABLE given; --"],
)  # fmt: skip
def test_text_that_is_no_instant_is_null(instants: Any, text: str) -> None:
    assert read(instants, pa.array([text]), "VARCHAR", "Europe/Paris") == [None]


def test_a_date_is_midnight_in_the_zone(instants: Any) -> None:
    midnight = micros_of(datetime(2026, 6, 1, tzinfo=ZoneInfo("Europe/Paris")))
    assert read(instants, pa.array([datetime(2026, 6, 1).date()]), "DATE", "Europe/Paris") == [midnight]
    assert read(instants, pa.array(["2026-06-01"]), "VARCHAR", "Europe/Paris") == [midnight]


@quick
@given(st.integers(200_000_000, 4_000_000_000), st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_a_number_counts_in_the_unit_its_size_tells(instants: Any, seconds: int, unit: int) -> None:
    assert read(instants, pa.array([seconds * unit]), "BIGINT", "Europe/Paris") == [seconds * 1_000_000]


@quick
@given(st.floats(-1e10, 1e10))
def test_seconds_with_a_fraction_are_cut_toward_the_past(instants: Any, seconds: float) -> None:
    (found,) = read(instants, pa.array([seconds]), "DOUBLE", "UTC")
    assert found is not None
    assert abs(Fraction(seconds) * 1_000_000 - found) <= 3  # the product itself is a float


def test_infinite_and_impossible_times_are_null(instants: Any) -> None:
    far = pa.array([(1 << 63) - 1, -(1 << 63) + 2, 253_402_300_800_000_000, None], pa.timestamp("us", "UTC"))
    assert read(instants, far, "TIMESTAMP WITH TIME ZONE", "UTC") == [None] * 4
    assert read(instants, pa.array([float("nan"), float("inf"), 1e30]), "DOUBLE", "UTC") == [None] * 3


def test_an_unknown_zone_is_a_clear_error(instants: Any) -> None:
    with pytest.raises(LimnerError, match=r"timezone 'Mars/Olympus' .* Europe/Paris"):
        instants["instants"].micros("x", "TIMESTAMP", "Mars/Olympus")
