"""Counts and sums by what has entered and left are those of the rows that are there."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.workers.windows.flows import Columns, Flowing, flow

PLACES = 5
FLOATS = st.one_of(
    st.none(),
    st.decimals(-1000, 1000, places=2).map(float),
    st.sampled_from([0.0, 5e-324, -1e300, 1e300, 2.0**53, 1 + 2.0**-52, 0.1]),
)
INTS = st.one_of(st.none(), st.integers(-9, 9), st.integers(-(2**63), 2**63 - 1))
PLACE = st.integers(0, PLACES)


@settings(deadline=None)
@given(st.lists(st.tuples(FLOATS, INTS, PLACE, PLACE, st.booleans()), max_size=12), st.booleans())
def test_what_has_entered_less_what_has_left_is_what_is_there(rows, in_order):
    """Rows in no order of places are rows that were late; a row that leaves before it enters is nowhere."""
    if in_order:
        firsts, lasts = sorted(row[2] for row in rows), sorted(row[3] for row in rows)
        rows = [(*row[:2], first, last, row[4]) for row, first, last in zip(rows, firsts, lasts, strict=True)]
    table = pa.table({
        "x": pa.array([row[0] for row in rows], pa.float64()), "n": pa.array([row[1] for row in rows], pa.int64())
    })  # fmt: skip
    first, last = (np.array([row[place] for row in rows], np.int64) for place in (2, 3))
    mask = np.array([row[4] for row in rows], bool)
    everything = Flowing(Columns(table), flow(first, last, PLACES))
    for flowing, some in ((everything, rows), (everything.where(mask), [row for row in rows if row[4]])):
        there = [[row for row in some if row[2] <= place < row[3]] for place in range(PLACES)]
        assert flowing.counted(None).tolist() == [len(here) for here in there]
        for column, name in enumerate(("x", "n")):
            values = [[Fraction(row[column]) for row in here if row[column] is not None] for here in there]
            assert flowing.counted(name).tolist() == [len(here) for here in values]
            assert flowing.summed(name).floats.tolist() == [float(sum(here, Fraction(0))) for here in values]
        assert flowing.integers("n")
        assert not flowing.integers("x")
