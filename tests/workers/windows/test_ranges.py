"""Which rows a run needs that goes on from another one's sums."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.language.durations import MICROS
from limner.language.windows import Calendar, Lifetime, Since, Sliding, Window
from limner.workers.windows.calendar import next_beginning
from limner.workers.windows.ranges import stretches
from limner.workers.windows.timeline import Events

DAY, HOUR = MICROS["d"], MICROS["h"]
SUMMER = 1_711_846_800_000_000  # 2024-03-31T01:00Z, when Europe's clocks go forward
units = st.sampled_from(["day", "week", "month", "quarter"])
plain = st.one_of(
    st.builds(Sliding, st.sampled_from([1, HOUR, DAY, 7 * DAY]), st.sampled_from([0, 0, DAY, 7 * DAY])),
    st.builds(Calendar, units, st.integers(0, 2), st.sampled_from(["UTC", "Europe/London", "Pacific/Apia"])),
    st.just(Lifetime()),
)
instants = st.one_of(
    st.integers(-40, 40).map(lambda hours: SUMMER + hours * HOUR),
    st.integers(-40 * DAY, 40 * DAY).map(lambda micros: SUMMER + micros),
    st.sampled_from(["day", "week", "month"]).map(lambda unit: begin(unit, SUMMER)),
)


def begin(unit: str, instant: int) -> int:
    """When a period begins, in London."""
    return int(next_beginning(np.array([instant]), unit, "Europe/London", 1)[0])  # type: ignore[arg-type]


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.lists(plain | st.builds(Since, plain, instants), min_size=1, max_size=3), instants, instants)
def test_rows_are_those_that_enter_or_leave(windows: list[Window], one: int, other: int) -> None:
    """A row known long ago lies in a stretch exactly where one of the windows takes it in or lets it go meanwhile."""
    after, until = sorted((one, other))
    found = stretches(windows, after, until)
    edges = np.array([edge for each in found for edge in each if edge > -(2**61)], np.int64)
    around = np.concatenate([after - np.arange(0, 300) * 6 * HOUR, edges, [after, until]])
    times = np.unique(np.concatenate([around + beside for beside in (-1, 0, 1)]))
    times = times[times < until]
    events = Events(np.zeros(len(times), np.int64), times, np.full(len(times), -(2**62)))
    moves = np.zeros(len(times), bool)
    for window in windows:
        enter, leave = events.enters(window), events.leaves(window)
        for instant in (enter, leave):
            moves |= (enter < leave) & (instant > after) & (instant <= until)
    inside = np.zeros(len(times), bool)
    for low, high in found:
        inside |= (times >= low) & (times < high)
    assert (inside | ~moves).all(), "a row is missing"
    if not any(isinstance(window, Since) for window in windows):
        assert (moves | ~inside).all(), "a row is read for nothing"
    assert all(low < high for low, high in found)
    assert all(left[1] < right[0] for left, right in pairwise(found))
