"""Stabbing queries equal a loop over all spans."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limner.workers.windows import cover

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30), st.integers(0, 6)), max_size=25)
SIZE = 61


@given(SPANS, st.integers(1, 4))
def test_each_place_gets_the_k_best_distinct_priorities_that_cover_it(spans, k):
    first = np.array([a for a, _, _ in spans], int)
    last = np.array([a + length for a, length, _ in spans], int)
    priority = np.array([p for _, _, p in spans], int)
    found = cover.best_k(first, last, priority, SIZE, k)
    for place in range(SIZE):
        covering = {p for a, b, p in zip(first, last, priority, strict=True) if a <= place < b}
        expected = sorted(covering, reverse=True)[:k]
        assert found[place].tolist() == expected + [cover.NONE] * (k - len(expected))
