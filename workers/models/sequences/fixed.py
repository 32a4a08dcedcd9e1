"""Arithmetic of a network whose results do not depend on what else is computed with them, nor on how.

Numbers are multiples of 2^-14 held in float64. Products of matrices of such numbers have sums below 2^53 units, so they
are exact in whatever order a library adds them up, on however many threads. Everything else is done number by number,
by operations that IEEE 754 rounds in one way, and by tables.
"""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

BITS = 14
LARGEST = 64.0
"""Of weights and values: sums of 2^9 of their products stay below 2^53 units of 2^-28."""
EPSILON = 1e-5  # as torch's norms have it
_STEPS = 1024  # of a table, to 1
_REACH = 12  # where sigmoid and tanh end: beyond, they are less than a unit away from 0 and 1
_PARTS = 2.0**40  # of which exponentials are whole multiples: sums of 2^13 of them are exact
FAR = 32
"""A score that is so much below the greatest is worth nothing: its exponential is rounded to 0."""


def rounded(values: npt.ArrayLike) -> Array:
    """The nearest multiples of 2^-14, as float64; -0.0 becomes 0.0."""
    found: Array = np.rint(np.asarray(values, np.float64) * 2.0**BITS) / 2.0**BITS + 0.0
    return found


def clipped(values: npt.ArrayLike) -> Array:
    """Rounded, and none larger than sums can bear."""
    return np.clip(rounded(values), -LARGEST, LARGEST)


def norm(values: Array) -> Array:
    """[..., dim] less their mean, and over their standard deviation, rounded; of clipped values."""
    dim = values.shape[-1]
    centered = rounded(values - values.sum(axis=-1, keepdims=True) / dim)
    spread = np.sqrt((centered * centered).sum(axis=-1, keepdims=True) / dim + EPSILON)
    return rounded(centered / spread)


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-x)), from a table with 1024 places to 1."""
    return _looked_up(_sigmoids(), values)


def tanh(values: Array) -> Array:
    """Hyperbolic tangent, from a table with 1024 places to 1."""
    return _looked_up(_tangents(), values)


def softmax(scores: Array) -> Array:
    """[rows, classes] probabilities that add up to 1, of scores of that shape."""
    below = np.minimum(scores.max(axis=1, keepdims=True) - scores, FAR)
    place = np.rint(below * _STEPS)
    rest = below - place / _STEPS
    parts = _exponentials()[place.astype(np.int64)] * (1.0 - rest + rest * rest * 0.5)  # exp(-rest), to 2^-34
    parts = np.rint(parts * _PARTS)
    found: Array = parts / parts.sum(axis=1, keepdims=True)
    return found


def _looked_up(table: Array, values: Array) -> Array:
    place = np.rint(values * _STEPS)
    np.clip(place, -_REACH * _STEPS, _REACH * _STEPS, out=place)
    return table[place.astype(np.int64) + _REACH * _STEPS]


def _places() -> list[float]:
    return [place / _STEPS for place in range(-_REACH * _STEPS, _REACH * _STEPS + 1)]


@lru_cache(maxsize=1)
def _sigmoids() -> Array:
    return rounded([1.0 / (1.0 + math.exp(-each)) for each in _places()])


@lru_cache(maxsize=1)
def _tangents() -> Array:
    return rounded([math.tanh(each) for each in _places()])


@lru_cache(maxsize=1)
def _exponentials() -> Array:
    return np.array([math.exp(-place / _STEPS) for place in range(FAR * _STEPS + 1)])
