"""Grids and the places where values may change."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limner.language.models import Grid
from limner.language.windows import Lifetime, Sliding
from limner.workers.windows import timeline

STEP = st.integers(1, 50)
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(-200, 200), st.integers(0, 80), st.integers(0, 150)),
    min_size=1,
    max_size=20,
)
MONDAY = 4 * 86_400_000_000


@given(STEP, st.integers(0, 49), st.integers(-(10**6), 10**6))
def test_a_tick_is_the_nearest_instant_of_the_grid_on_its_side(step, offset, instant):
    grid = Grid(step=step, offset=offset % step)
    before = timeline.tick_at_or_before(grid, instant)
    after = int(timeline.tick_at_or_after(grid, np.array([instant]))[0])
    assert (before - MONDAY - grid.offset) % step == 0
    assert before <= instant < before + step
    assert after == (before if before == instant else before + step)


@given(ROWS, st.one_of(st.none(), STEP), st.integers(1, 90), st.integers(0, 60), st.integers(-100, 100),
       st.integers(0, 150))  # fmt: skip
def test_a_row_counts_exactly_at_the_places_inside_its_window(rows, step, width, shift, start, length):
    rows = sorted(rows)
    codes = {entity: code for code, entity in enumerate(sorted({row[0] for row in rows}))}
    entity = np.array([codes[row[0]] for row in rows])
    time = np.array([MONDAY + row[1] for row in rows])
    known = time + 1 + np.array([row[2] for row in rows])
    until = known + np.array([row[3] for row in rows])
    events = timeline.Events(entity, time, known, until)
    grid = Grid(step=step)
    windows = {Sliding(width), Sliding(width, shift), Lifetime()}
    stays = timeline.stays(grid, events, windows)
    base = timeline.tick_at_or_before(grid, MONDAY + start)
    line = timeline.build([stays], base, MONDAY + start + length)
    for window in windows:
        first, last = line.span(stays, window)
        for place in range(line.size):
            q = line.tick[place]
            for row in range(len(rows)):
                inside = entity[row] == line.entity[place] and known[row] <= q < until[row]
                if isinstance(window, Sliding):
                    inside = inside and q - window.reach <= time[row] < q - window.shift
                assert (first[row] <= place < last[row]) == inside
    # Between two places nothing moves: at every instant of the grid rows are in as they are at the place before it.
    for code in range(len(codes)):
        ticks = line.tick[line.entity == code]
        for q in timeline.tick_at_or_after(grid, np.arange(line.base, MONDAY + start + length, 7)).tolist():
            before = ticks[ticks <= q]
            if len(before) and q <= MONDAY + start + length:
                for window in windows - {Lifetime()}:
                    assert _inside(time, known, until, window, q)[entity == code].tolist() == (
                        _inside(time, known, until, window, before[-1])[entity == code].tolist()
                    )


def _inside(time, known, until, window, q):
    return (known <= q) & (q < until) & (q - window.reach <= time) & (time < q - window.shift)
