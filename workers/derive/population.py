"""What a fit learns of a population: exact statistics of its parts that add up in any order, and a sample for PCA."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pyarrow as pa

from limner.workers.derive.fit import Components, Scale
from limner.workers.derive.values import Array, as_float, of_arrow
from limner.workers.keys import by_digest, texts_of
from limner.workers.windows import exact

SAMPLE = 10_000
"""Principal components are those of at most so many entities: of more, those whose keys' SHA-256 is least."""


@dataclass(frozen=True)
class Moments:
    """Count, exact sum, exact sum of squares, least and greatest of the values that are not null."""

    count: int = 0
    total: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)
    least: float = math.inf
    greatest: float = -math.inf

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.count + other.count,
            self.total + other.total,
            self.squares + other.squares,
            min(self.least, other.least),
            max(self.greatest, other.greatest),
        )

    def zscore(self) -> Scale:
        """Mean and standard deviation (n), each rounded once."""
        if not self.count:
            return Scale(center=0.0, width=None, count=0)
        variance = self.squares / self.count - (self.total / self.count) ** 2
        return Scale(center=_float(self.total / self.count), width=_root(variance) or None, count=self.count)

    def minmax(self) -> Scale:
        """Least value and range."""
        if not self.count:
            return Scale(center=0.0, width=None, count=0)
        width = self.greatest - self.least
        return Scale(center=self.least, width=width if 0 < width < math.inf else None, count=self.count)


def moments(column: pa.Array | pa.ChunkedArray) -> Moments:
    """Of a column of numbers; as float64, also whole numbers."""
    value = of_arrow(column)
    data = as_float(value)[~value.null]
    if not len(data):
        return Moments()
    limbs = exact.of_floats(data)
    return Moments(
        count=len(data),
        total=_sum(limbs),
        squares=_sum(exact.square(limbs)),
        least=float(data.min()),
        greatest=float(data.max()),
    )


def sample(rows: pa.Table, keys: Sequence[str], most: int = SAMPLE) -> pa.Table:
    """At most so many rows, whichever tables they came in: those whose keys' hash is least; sorted by keys."""
    if len(rows) > most:
        rows = rows.take(pa.array(np.sort(by_digest(texts_of(rows, keys), most))))
    return rows.sort_by([(key, "ascending") for key in keys])


def principal(matrix: Array, count: int) -> Components:
    """The first principal components of rows of numbers, by a full singular value decomposition.

    The largest loading of each (the first of equal ones) is positive. Where there are fewer than asked for, the rest
    is zero.
    """
    mean = matrix.mean(axis=0) if len(matrix) else np.zeros(matrix.shape[1])
    rows, explained = np.zeros((count, matrix.shape[1])), np.zeros(count)
    if len(matrix) > 1:
        _, values, found = np.linalg.svd(matrix - mean, full_matrices=False)
        found = found[:count]
        largest = found[np.arange(len(found)), np.abs(found).argmax(axis=1)]
        whole = float((values**2).sum())
        real = values[:count] > 1e-12 * max(values[0], 1e-300)
        rows[: len(found)] = np.where(real, np.sign(largest), 0.0)[:, None] * found
        explained[: len(found)] = np.where(real, values[:count] ** 2 / whole if whole else 0.0, 0.0)
    return Components(
        mean=tuple((mean + 0.0).tolist()),
        rows=tuple(tuple((row + 0.0).tolist()) for row in rows),
        explained=tuple(explained.tolist()),
        entities=len(matrix),
    )


def _sum(limbs: exact.Limbs) -> Fraction:
    total = exact.Limbs(limbs.limb.sum(axis=1, keepdims=True), limbs.exponent)
    return Fraction(exact.to_integers(total)[0]) * Fraction(2) ** limbs.exponent


def _float(value: Fraction) -> float:
    return float(value)


def _root(square: Fraction) -> float:
    """The square root rounded once: of an integer of at least 2 * 64 bits, whose remainder decides the last bit."""
    if square <= 0:
        return 0.0
    shift = max(0, 132 - (square.numerator.bit_length() - square.denominator.bit_length()))
    shift += shift % 2
    scaled = (square.numerator << shift) // square.denominator
    root = math.isqrt(scaled)
    sticky = root * root != scaled or (square.numerator << shift) % square.denominator != 0
    return float(Fraction(2 * root + sticky, 1 << (shift // 2 + 1)))
