"""Order statistics of windows against sorting each of them."""

import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.language.features import Median, Quantile
from limner.workers.windows.quantiles import quantile
from limner.workers.windows.rows import Rows

VALUES = st.one_of(st.integers(-3, 3).map(float), st.floats(allow_nan=False, allow_infinity=False))
SPANS = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6), VALUES | st.none()), max_size=12)


def rows_of(spans, kind=None) -> Rows:
    """One entity with ten places; rows come and go in any order."""
    first = np.array([each[0] for each in spans], np.int64)
    last = np.minimum(first + np.array([each[1] for each in spans], np.int64), 10)
    table = pa.table({"x": pa.array([each[2] for each in spans], kind or pa.float64())})
    nothing = np.zeros(len(spans), np.int64)
    return Rows(table, np.arange(len(spans)), first, last, 10, nothing, nothing, "UTC")


def brute(spans, place: int, q: Fraction) -> float | None:
    """The plainest: sort what is there."""
    there = sorted(x for first, length, x in spans if x is not None and first <= place < first + length)
    if not there:
        return None
    at = (len(there) - 1) * q
    low, high = Fraction(there[math.floor(at)]), Fraction(there[math.ceil(at)])
    return float(low + (at - math.floor(at)) * (high - low))


@settings(deadline=None)
@given(SPANS, st.sampled_from(["0", "0.1", "0.5", "0.333", "0.9", "1", "1e-300"]))
def test_a_quantile_is_exact_at_every_place(spans, q):
    found = quantile(Quantile(quantile="x", q=float(q)), rows_of(spans)).take(np.arange(10)).to_pylist()
    assert found == [brute(spans, place, Fraction(q)) for place in range(10)]


@settings(deadline=None)
@given(SPANS)
def test_a_median_is_the_quantile_in_the_middle(spans):
    found = quantile(Median(median="x"), rows_of(spans)).take(np.arange(10)).to_pylist()
    assert found == [brute(spans, place, Fraction(1, 2)) for place in range(10)]


@pytest.mark.parametrize("pair", [(2**63 - 1, 2**63 - 3), (-(2**63), 2**63 - 1), (2**53 + 1, 2**53 + 2)])
def test_whole_numbers_beyond_53_bits_are_rounded_once(pair):
    spans = [(0, 6, value) for value in pair]
    found = quantile(Median(median="x"), rows_of(spans, pa.int64())).take(np.arange(1)).to_pylist()
    assert found == [float(Fraction(sum(pair), 2))]
