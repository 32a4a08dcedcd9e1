"""Windowed sums are exact: equal to fractions, rounded once."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from limner.workers.windows import exact

FLOATS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.decimals(-1000, 1000, places=2).map(float),
    st.sampled_from([0.0, 5e-324, -5e-324, 1e300, -1e300, 2.0**53, 1 + 2.0**-52, 0.1]),
)
INTS = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-9, 9), st.sampled_from([2**53 + 1, 2**62]))
PLACES = 5


@st.composite
def spanned(draw, values):
    """Values, each with the places it counts at."""
    rows = draw(st.lists(st.tuples(values, st.integers(0, PLACES - 1), st.integers(1, PLACES)), max_size=12))
    rows = [(value, first, max(last, first + 1)) for value, first, last in rows]
    return (
        [row[0] for row in rows],
        np.array([row[1] for row in rows], int),
        np.array([row[2] for row in rows], int),
    )


def at(values, first, last, place):
    return [Fraction(v) for v, a, b in zip(values, first, last, strict=True) if a <= place < b]


def to_float(fraction):
    try:
        return float(fraction)
    except OverflowError:
        return float("inf") if fraction > 0 else float("-inf")


@given(spanned(FLOATS))
def test_a_running_sum_of_floats_is_the_exact_sum_rounded_once(case):
    values, first, last = case
    column = exact.of_floats(np.array(values, float))
    total = exact.to_floats(exact.spans(column, first, last, PLACES))
    assert total.tolist() == [to_float(sum(at(values, first, last, p), Fraction(0))) for p in range(PLACES)]


@given(spanned(FLOATS))
def test_squares_are_exact(case):
    values, first, last = case
    squares = exact.spans(exact.square(exact.of_floats(np.array(values, float))), first, last, PLACES)
    unit = Fraction(2) ** squares.exponent
    expected = [sum((v * v for v in at(values, first, last, p)), Fraction(0)) for p in range(PLACES)]
    assert [value * unit for value in exact.to_integers(squares)] == expected


@given(spanned(INTS))
def test_a_sum_of_integers_is_exact_or_known_not_to_fit_64_bits(case):
    values, first, last = case
    total, fits = exact.to_int64(exact.spans(exact.of_ints(np.array(values, np.int64)), first, last, PLACES))
    for place in range(PLACES):
        expected = sum(at(values, first, last, place), Fraction(0))
        assert fits[place] == (-(2**63) <= expected < 2**63)
        if fits[place]:
            assert total[place] == expected


@given(st.lists(st.tuples(FLOATS, INTS), min_size=1, max_size=6))
def test_products_are_exact(pairs):
    left, right = exact.of_floats(np.array([a for a, _ in pairs])), exact.of_ints(np.array([b for _, b in pairs]))
    found = exact.product(left, right)
    whole = exact.to_integers(exact.Limbs(found.limb, 0))
    unit = Fraction(2) ** found.exponent
    assert [each * unit for each in whole] == [Fraction(a) * b for a, b in pairs]
