"""Exact sums of floats and integers, as vectors of limbs.

A float64 is an integer times a power of two. A column is written as signed integers in units of its least
exponent, cut into 30-bit limbs; limbs add exactly, in any order, and rows can be taken out again. So a
windowed sum depends on the rows in the window alone, never on the order or the run in which they came:
splitting an interval, or retrying a task, gives the same bits. The idea is Kulisch's long accumulator.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

LIMB = 30
_MASK = (1 << LIMB) - 1
_LARGE = 42  # bits of the last limb of a new column: 2**20 rows and more add up in 63 bits
_MOST = 1 << 62  # what a sum of limbs may come to
_LEAST = -1022  # the exponent of the least normal float64
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Limbs:
    """Integers `sum(limb[k] << 30 k)` in units of `2 ** exponent`; `limb` has shape [limbs, n].

    A limb may be larger than 30 bits: few columns need more than two limbs then, and what is cheap is cheaper.
    """

    limb: Ints
    exponent: int

    @property
    def size(self) -> int:
        """Number of values."""
        return int(self.limb.shape[1])

    @cached_property
    def floats(self) -> Floats:
        """The values, each rounded once to the nearest float64 (ties to even)."""
        return to_floats(self)


def of_floats(values: Floats) -> Limbs:
    """Exact limbs of finite float64 values."""
    fraction, exponent = np.frexp(values)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    shift = exponent.astype(np.int64) - 53
    used = shift[mantissa != 0]
    if not len(used):
        return Limbs(np.zeros((1, len(values)), np.int64), 0)
    lowest = int(used.min())
    bits = int(used.max()) - lowest + 54
    if bits <= LIMB + _LARGE:
        shift = np.where(mantissa != 0, shift - lowest, 0)
        return Limbs(np.stack([(mantissa << shift) & _MASK, mantissa >> (LIMB - shift)]), lowest)
    limb = np.zeros((bits // LIMB + 2, len(values)), np.int64)
    shift = np.where(mantissa != 0, shift - lowest, 0)
    sign, magnitude = np.sign(mantissa), np.abs(mantissa)
    index, offset = np.divmod(shift, LIMB)
    column = np.arange(len(values))
    low, high = (magnitude & _MASK) << offset, (magnitude >> LIMB) << offset  # below 2**60 each
    for place, part in ((0, low & _MASK), (1, low >> LIMB), (1, high & _MASK), (2, high >> LIMB)):
        target = np.minimum(index + place, len(limb) - 1)  # a part beyond the last limb is 0
        limb[target, column] += sign * part
    return Limbs(limb, lowest)


def of_ints(values: Ints) -> Limbs:
    """Exact limbs of int64 values."""
    if not len(values) or max(-int(values.min()), int(values.max())) < 1 << _LARGE:
        return Limbs(values[None], 0)
    return Limbs(np.stack([values & _MASK, (values >> LIMB) & _MASK, values >> (2 * LIMB)]), 0)


def square(column: Limbs) -> Limbs:
    """Exact squares."""
    return product(column, column)


def product(left: Limbs, right: Limbs) -> Limbs:
    """Exact products of values at the same position."""
    sign, digits = _magnitude(carry(left.limb))
    other_sign, other_digits = (sign, digits) if left is right else _magnitude(carry(right.limb))
    result = np.zeros((len(digits) + len(other_digits) + 1, left.size), np.int64)
    for i, digit in enumerate(digits):
        for j, other in enumerate(other_digits):
            both = digit * other
            result[i + j] += both & _MASK
            result[i + j + 1] += both >> LIMB
    return Limbs(carry(result) * (sign * other_sign).astype(np.int64), left.exponent + right.exponent)


def spans(column: Limbs, first: Ints, last: Ints, size: int) -> Limbs:
    """Running totals: value i counts at places first[i] <= place < last[i]; `size` places."""
    return Limbs(_upto(column, first, size) - _upto(column, last, size), column.exponent)


def running(column: Limbs, order: Ints | None = None) -> Ints:
    """[limbs, n + 1] limbs of the totals of the first 0, 1, ... values in their order, or in another one."""
    limb = column.limb if order is None else column.limb[:, order]
    if limb.size and int(np.abs(limb).max()) > _MOST // limb.shape[1]:
        limb = carry(limb)
    total = np.zeros((len(limb), limb.shape[1] + 1), np.int64)
    np.cumsum(limb, axis=1, out=total[:, 1:])
    return total


def _upto(column: Limbs, place: Ints, size: int) -> Ints:
    """[limbs, size] the total of the values whose place is at or before each place."""
    late = len(place) and (place[1:] < place[:-1]).any()
    total = running(column, np.argsort(place, kind="stable") if late else None)
    return np.take(total, np.cumsum(np.bincount(place, minlength=size)[:size]), axis=1)


def to_floats(column: Limbs) -> Floats:
    """The values, each rounded once to the nearest float64 (ties to even)."""
    halves = _halves(column)
    if halves is not None:
        high, low = halves
        # Both are exact in a float64, and so is the scaling: the addition is the only rounding.
        with np.errstate(over="ignore"):
            exact: Floats = np.ldexp(high * float(1 << LIMB) + low, column.exponent)
        return exact
    sign, digits = _magnitude(carry(carry(column.limb)))
    digits = np.concatenate([np.zeros((2, column.size), np.int64), digits])
    nonzero = digits != 0
    top = len(digits) - 1 - np.argmax(nonzero[::-1], axis=0)
    top = np.maximum(top, 2)
    at = np.arange(column.size)
    high = (digits[top, at] << LIMB) | digits[top - 1, at]
    rounded = high.astype(np.float64)
    # `rounded` keeps 53 bits of `high`; what it lost, the next limb and one sticky bit for all lower limbs
    # are together exact in a float64, so the last addition is the only rounding.
    lost = high - rounded.astype(np.int64)
    below = np.cumsum(nonzero, axis=0)
    sticky = below[np.maximum(top - 3, 0), at].astype(bool) & (top >= 3)
    rest = (((lost << LIMB) + digits[top - 2, at]) << 1) | sticky
    value = np.ldexp(rounded, LIMB + 1) + rest
    with np.errstate(over="ignore"):
        scaled: Floats = np.ldexp(value, LIMB * (top - 4) - 1 + column.exponent)
    return sign * scaled


def _halves(column: Limbs) -> tuple[Floats, Floats] | None:
    """The values as `high * 2**30 + low`, each exact as a float64; None where one is too long or too near to 0."""
    if column.exponent < _LEAST:
        return None
    digits = carry(column.limb)
    high = digits[-1]
    for digit in digits[-2:0:-1]:
        if high.size and int(np.abs(high).max()) >= 1 << (53 - LIMB):
            return None
        high = (high << LIMB) + digit
    return (high.astype(np.float64), digits[0].astype(np.float64)) if len(digits) > 1 else None


def to_integers(column: Limbs) -> list[int]:
    """The values as Python integers, in units of `2 ** exponent`."""
    limb = carry(column.limb)
    total = limb[-1].astype(object)
    for k in range(len(limb) - 2, -1, -1):
        total = (total << LIMB) + limb[k].astype(object)
    return [int(value) for value in total]


def to_int64(column: Limbs) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Integer totals and where they fit in 64 bits (elsewhere the total is meaningless)."""
    if len(column.limb) == 1:
        return column.limb[0], np.ones(column.size, bool)
    limb = carry(column.limb)
    head = limb[2].copy()
    fits = np.ones(column.size, bool)
    for k in range(3, len(limb)):  # further limbs only repeat the sign
        fits &= limb[k] == np.where(limb[-1] < 0, -1 if k == len(limb) - 1 else _MASK, 0)
    if len(limb) > 3:
        head = np.where(limb[-1] < 0, head - (1 << LIMB), head)
    fits &= (head >= -8) & (head < 8)
    return (np.where(fits, head, 0) << (2 * LIMB)) + (limb[1] << LIMB) + limb[0], fits


def carry(limb: Ints) -> Ints:
    """The same numbers in one limb more: all limbs but the last within [0, 2**30); the last carries the sign."""
    result = np.empty((len(limb) + 1, limb.shape[1]), np.int64)
    carry = np.zeros(limb.shape[1], np.int64)
    for k, value in enumerate(limb):
        total = value + carry
        result[k] = total & _MASK
        carry = total >> LIMB
    result[-1] = carry
    return result


def _magnitude(limb: Ints) -> tuple[Floats, Ints]:
    """Sign (+1 or -1) and the limbs of the absolute value, from carried limbs."""
    negative = limb[-1] < 0
    flipped = carry(np.where(negative, -limb, limb))
    return np.where(negative, -1.0, 1.0), flipped
