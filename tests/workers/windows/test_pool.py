"""Pooling of vectors where rows are withdrawn: what is gone does not count, whatever the order of leaving."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.workers.windows import pool

ROWS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9), st.integers(0, 3)), min_size=1, max_size=12)


@settings(deadline=None)  # imports and zones load on the way
@given(ROWS, st.none() | st.integers(1, 3))
def test_a_mean_is_of_the_rows_that_are_there(rows, newest):
    first = np.array([row[0] for row in rows])
    last = np.minimum(first + np.array([row[1] for row in rows]), 10)
    time = np.arange(len(rows))  # canonical order; leaving in any order
    vectors = np.eye(4, dtype=np.float32)
    texts = pool.Texts(
        entity=np.zeros(len(rows), np.int64), first=first, last=last, enter=first, leave=last, time=time,
        weight=np.ones(len(rows)), vector=np.array([row[2] for row in rows]),
    )  # fmt: skip
    found = pool.mean(texts, vectors, 10, None, newest).take(np.arange(10)).to_pylist()
    for place in range(10):
        there = [row[2] for row, a, b in zip(rows, first, last, strict=True) if a <= place < b][-(newest or 99) :]
        counted = [there.count(code) / len(there) for code in range(4)] if there else None
        assert found[place] == (None if counted is None else np.array(counted, np.float32).tolist())
