"""Exact sums of entities that are kept and added to: in common units, as few limbs as hold them."""

from collections.abc import Sequence

import numpy as np

from limner.workers.windows.exact import LIMB, Ints, Limbs, carry


def zeros(size: int) -> Limbs:
    """As many zeros."""
    return Limbs(np.zeros((1, size), np.int64), 0)


def take(column: Limbs, places: Ints) -> Limbs:
    """The values at some places; a place of -1 is 0."""
    if not column.size:
        return zeros(len(places))
    limb = np.take(column.limb, places, axis=1, mode="wrap")
    if len(places) and places.min() < 0:
        limb[:, places < 0] = 0
    return Limbs(limb, column.exponent)


def add(left: Limbs, right: Limbs) -> Limbs:
    """The sums of values at the same position."""
    left, right = _alike(left, right)
    return Limbs(left.limb + right.limb, left.exponent)


def subtract(left: Limbs, right: Limbs) -> Limbs:
    """The differences of values at the same position."""
    left, right = _alike(left, right)
    return Limbs(left.limb - right.limb, left.exponent)


def concat(columns: Sequence[Limbs]) -> Limbs:
    """Values one after another."""
    if len(columns) == 1:
        return columns[0]
    exponent = min((each.exponent for each in columns), default=0)
    lowered = [_lowered(each, exponent) for each in columns]
    length = max((len(each.limb) for each in lowered), default=1)
    return Limbs(np.concatenate([_padded(each.limb, length) for each in lowered], axis=1), exponent)


def compact(column: Limbs) -> Limbs:
    """The same values in the fewest limbs, each within [-2**30, 2**30); only the last is ever negative."""
    limb, exponent = _fewest(carry(carry(column.limb))), column.exponent
    while len(limb) > 1 and not limb[0].any():
        limb, exponent = limb[1:], exponent + LIMB
    return Limbs(limb, exponent if limb.any() else 0)


def compact_at(column: Limbs, exponent: int) -> Limbs:
    """The same values, which are compact, in units of `2 ** exponent`, which is not more than the column's."""
    whole, bits = divmod(column.exponent - exponent, LIMB)
    limb = _fewest(carry(column.limb << bits))
    return Limbs(np.concatenate([np.zeros((whole, column.size), np.int64), limb]), exponent)


def _fewest(limb: Ints) -> Ints:
    while len(limb) > 1 and (np.abs(limb[-1]) <= 1).all():
        merged = (limb[-1] << LIMB) + limb[-2]
        if ((merged < -(1 << LIMB)) | (merged >= 1 << LIMB)).any():
            break
        limb = np.concatenate([limb[:-2], merged[None]])
    return limb


def _alike(left: Limbs, right: Limbs) -> tuple[Limbs, Limbs]:
    """Both in the units of the finer one, with as many limbs."""
    exponent = min(left.exponent, right.exponent)
    left, right = _lowered(left, exponent), _lowered(right, exponent)
    length = max(len(left.limb), len(right.limb))
    return Limbs(_padded(left.limb, length), exponent), Limbs(_padded(right.limb, length), exponent)


def _padded(limb: Ints, length: int) -> Ints:
    if len(limb) == length:
        return limb
    padded = np.zeros((length, limb.shape[1]), np.int64)
    padded[: len(limb)] = limb
    return padded


def _lowered(column: Limbs, exponent: int) -> Limbs:
    """The same values in units of `2 ** exponent`, which is not more than the column's."""
    if exponent == column.exponent:
        return column
    whole, bits = divmod(column.exponent - exponent, LIMB)
    limb = column.limb
    if bits:  # carried, limbs are small enough to be moved up without loss
        limb = carry(carry(carry(limb)) << bits)
    return Limbs(np.pad(limb, ((whole, 0), (0, 0))) if whole else limb, exponent)
