"""Kinds that count or add up: running totals over the spans of rows."""

import math
from typing import Protocol, Self

import numpy as np

from limner.language import features as f
from limner.language.errors import LimnerError
from limner.workers.windows import column as c
from limner.workers.windows import exact, spans
from limner.workers.windows.rows import Bools, Ints, Rows, running


class Summed(Protocol):
    """Rows of a window that are counted and added up: `Rows`, or where few have to be looked at, `Flowing`."""

    def where(self, mask: Bools) -> Self:
        """The rows where a mask holds."""
        ...

    def counted(self, column: str | None) -> Ints:
        """[places] how many rows there are, with a value in a column."""
        ...

    def summed(self, column: str) -> exact.Limbs:
        """[places] exact sums of a numeric column."""
        ...

    def integers(self, column: str) -> bool:
        """Whether a numeric column holds integers."""
        ...


def count(feature: f.Count, rows: Summed) -> c.Output:
    """Rows, or rows with a value."""
    return c.of_ints(rows.counted(feature.column))


def distinct(feature: f.Count | f.Distinct, rows: Rows) -> c.Output:
    """A value counts where any of its rows does: the union of the spans of equal values of an entity."""
    assert feature.column is not None
    rows, ranked = rows.coded(feature.column)
    group = rows.entity * (len(ranked.values) + 1) + ranked.code
    found = spans.union(group, rows.first, rows.last, rows.places)
    return c.of_ints(running(found.first, found.last, rows.places))


def total_of(feature: f.Sum, rows: Summed) -> c.Output:
    """The exact sum, rounded once; of integers an integer."""
    total = rows.summed(feature.sum)
    if rows.integers(feature.sum):
        return c.of_ints(int64(feature.sum, total))
    return c.of_floats(total.floats, np.ones(total.size, bool), None)


def int64(name: str, total: exact.Limbs) -> Ints:
    """Integer totals of the column `name`; LimnerError where one does not fit in 64 bits."""
    values, fits = exact.to_int64(total)
    if not fits.all():
        raise LimnerError(
            f"a sum of {name} does not fit in 64 bits: `clean: {{cast: {{{name}: float}}}}` makes it a float"
        )
    return values


def mean(feature: f.Mean, rows: Summed) -> c.Output:
    """The rounded sum over the number of values."""
    count = rows.counted(feature.mean)
    return c.of_floats(rows.summed(feature.mean).floats / np.maximum(count, 1), count > 0, feature.default)


def deviation(feature: f.Std, rows: Rows) -> c.Output:
    """Sample variance as an exact fraction: (n * sum of squares - square of sum) / (n * (n - 1))."""
    rows, values, _ = rows.numbers(feature.std)
    count = rows.count()
    found = deviations(rows.total(values), rows.total(exact.square(values)), count)
    return c.of_floats(found, count > 1, feature.default)


def deviations(total: exact.Limbs, squares: exact.Limbs, count: Ints, unit: int = 1) -> c.Floats:
    """[places] standard deviation of `count` values, in units of `unit`, from their sums and those of their squares.

    0 where they are fewer than two.
    """
    result = np.zeros(len(count))
    several = np.flatnonzero(count > 1)
    exponent = min(total.exponent, squares.exponent // 2)
    shift, up, squares_up = -2 * exponent, total.exponent - exponent, squares.exponent - 2 * exponent
    sums = exact.to_integers(exact.Limbs(total.limb[:, several], 0))
    squared = exact.to_integers(exact.Limbs(squares.limb[:, several], 0))
    for place, n, linear, square in zip(several, count[several].tolist(), sums, squared, strict=True):
        top, bottom = n * (square << squares_up) - (linear << up) ** 2, n * (n - 1) * unit * unit
        result[place] = _root(top, bottom << shift) if shift >= 0 else _root(top << -shift, bottom)
    return result


def _root(top: int, bottom: int) -> float:
    """The square root of top / bottom, rounded once (to an odd last bit first, as CPython's statistics does)."""
    if not top:
        return 0.0
    shift = (top.bit_length() - bottom.bit_length() - 109) // 2
    top, bottom = (top, bottom << 2 * shift) if shift >= 0 else (top << -2 * shift, bottom)
    root = math.isqrt(top // bottom)
    root |= root * root * bottom != top
    return float(root << shift) if shift >= 0 else root / (1 << -shift)


def share(feature: f.Share, rows: Summed, selected: Bools) -> c.Output:
    """The part of a sum, or of the rows, where `selected` holds."""
    if feature.column is None:
        part, whole = rows.where(selected).counted(None).astype(np.float64), rows.counted(None).astype(np.float64)
    else:
        whole, part = rows.summed(feature.column).floats, rows.where(selected).summed(feature.column).floats
    present = whole != 0
    return c.of_floats(part / np.where(present, whole, 1.0), present, feature.default)
