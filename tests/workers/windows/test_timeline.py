"""Grids and the places where values may change."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limner.language.models import Grid
from limner.workers.windows import timeline

STEP = st.integers(1, 50)
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(-200, 200), st.integers(0, 80)), min_size=1, max_size=20)
MONDAY = 4 * 86_400_000_000


@given(STEP, st.integers(0, 49), st.integers(-(10**6), 10**6))
def test_a_tick_is_the_nearest_instant_of_the_grid_on_its_side(step, offset, instant):
    grid = Grid(step=step, offset=offset % step)
    before = timeline.tick_at_or_before(grid, instant)
    after = int(timeline.tick_at_or_after(grid, np.array([instant]))[0])
    assert (before - MONDAY - grid.offset) % step == 0
    assert before <= instant < before + step
    assert after == (before if before == instant else before + step)


@given(ROWS, st.one_of(st.none(), STEP), st.integers(1, 90), st.integers(-100, 100), st.integers(0, 150))
def test_a_row_counts_exactly_at_the_places_inside_its_window(rows, step, window, start, length):
    rows = sorted(rows)
    codes = {entity: code for code, entity in enumerate(sorted({entity for entity, _, _ in rows}))}
    entity = np.array([codes[e] for e, _, _ in rows])
    time = np.array([MONDAY + t for _, t, _ in rows])
    known = time + 1 + np.array([late for _, _, late in rows])
    grid = Grid(step=step)
    line = timeline.build(grid, entity, time, known, {window, None}, MONDAY + start, MONDAY + start + length)
    for chosen in (window, None):
        first, last = line.span(chosen)
        for place in range(line.size):
            q = line.tick[place]
            for row in range(len(rows)):
                inside = entity[row] == line.entity[place] and known[row] <= q
                inside = inside and (chosen is None or q - chosen <= time[row] < q)
                assert (first[row] <= place < last[row]) == inside
