"""Local time: beginnings of days and longer periods, and what the clocks show."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.language.durations import micros_of
from limner.workers.windows import calendar
from tests.oracle.calendar import beginnings

ZONES = ["UTC", "America/New_York", "Asia/Shanghai", "Pacific/Apia", "America/St_Johns", "America/Sao_Paulo",
         "Asia/Kathmandu", "Africa/Monrovia", "America/Juneau", "Asia/Manila"]  # fmt: skip
INSTANT = st.integers(-(10**16), 4 * 10**15)  # 1653 to 2096


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("America/New_York", date(2024, 3, 10), "2024-03-10T05:00+00:00"),
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00+00:00"),  # midnight is skipped: 01:00 is the first
        ("America/Havana", date(2024, 11, 3), "2024-11-03T04:00+00:00"),  # midnight comes twice: the first
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00+00:00"),  # there was no such day: the next one's
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00+00:00"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, day: date, expected: str) -> None:
    assert calendar.day_beginning(day, zone) == micros_of(datetime.fromisoformat(expected))


@settings(deadline=None)  # imports and zones load on the way
@given(st.lists(INSTANT, min_size=1, max_size=5), st.sampled_from(ZONES), st.integers(1, 3),
       st.sampled_from(["day", "week", "month", "quarter", "year"]))  # fmt: skip
def test_the_next_beginnings_are_those_of_brute_force(times, zone, count, unit):
    found = calendar.next_beginning(np.array(times), unit, zone, count).tolist()
    for instant, beginning in zip(times, found, strict=True):
        assert beginning == [each for each in beginnings(unit, instant, zone) if each > instant][count - 1]


@settings(deadline=None)  # imports and zones load on the way
@given(st.lists(INSTANT, min_size=1, max_size=5), st.sampled_from(ZONES))
def test_local_time_is_what_clocks_show(times, zone):
    for instant, shown in zip(times, calendar.local(np.array(times), zone).tolist(), strict=True):
        moment = datetime.fromtimestamp(0, UTC) + (datetime.max - datetime.min).resolution * instant
        assert shown == micros_of(moment.astimezone(ZoneInfo(zone)).replace(tzinfo=UTC))


def test_instants_out_of_reach_do_no_harm() -> None:
    far = np.array([-62_135_596_800_000_000, 253_402_300_799_999_999])
    assert (calendar.next_beginning(far, "year", "Asia/Tokyo", 2) > far).all()
    assert len(calendar.local(far, "America/New_York")) == 2
