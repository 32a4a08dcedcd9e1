"""Medians and quantiles: which value is the k-th of those in a window."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pyarrow as pa

from limner.language import features as f
from limner.workers.windows import column as c
from limner.workers.windows.rows import Ints, Rows


def quantile(feature: f.Median | f.Quantile, rows: Rows) -> c.Output:
    """The value at place (n - 1) q of the n in the window, between two places linearly; exact, rounded once."""
    assert feature.column is not None
    rows, ranked = rows.coded(feature.column)
    changes = rows.changes()
    count = rows.count()[changes.at]
    some = np.flatnonzero(count)
    result, present = np.zeros(len(changes.at) + 1), np.zeros(len(changes.at) + 1, bool)
    if len(some):
        at, count = changes.at[some], count[some]
        sizes, size = np.unique(count, return_inverse=True)
        places = [divmod((n - 1) * feature.at, 1) for n in sizes.tolist()]
        low = np.array([whole for whole, _ in places], np.int64)[size]
        high = np.minimum(low + 1, count - 1)
        both = kth(rows.first, rows.last, ranked.code, np.tile(at, 2), np.concatenate([low, high]))
        result[some] = _between(ranked.values, both[: len(at)], both[len(at) :], size, [part for _, part in places])
        present[some] = True
    return c.of_floats(result[changes.source], present[changes.source], feature.default)


def _between(values: pa.Array, low: Ints, high: Ints, size: Ints, parts: Sequence[Fraction]) -> c.Floats:
    """low + part * (high - low) of each pair of codes, where the part is that of the number of rows; rounded once."""
    result = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), np.float64)[low]
    mixed = np.flatnonzero(np.array([part > 0 for part in parts])[size] & (low != high))
    cases, where = np.unique(np.stack([low[mixed], high[mixed], size[mixed]]), axis=1, return_inverse=True)
    codes = np.unique(cases[:2])
    exact = dict(zip(codes.tolist(), values.take(pa.array(codes)).to_pylist(), strict=True))
    ratios = {code: value.as_integer_ratio() for code, value in exact.items()}
    found = np.empty(cases.shape[1])
    for case, (a, b, n) in enumerate(cases.T.tolist()):
        (top_a, bottom_a), (top_b, bottom_b), part = ratios[a], ratios[b], parts[n]
        top = top_a * bottom_b * (part.denominator - part.numerator) + top_b * bottom_a * part.numerator
        found[case] = top / (bottom_a * bottom_b * part.denominator)
    result[mixed] = found[where.reshape(-1)]
    return result


def kth(first: Ints, last: Ints, code: Ints, at: Ints, k: Ints) -> Ints:
    """The code of the k-th row (from 0, by code) of those present at each place `at`; there are more than k.

    `first`, `last` and `code` have shape [rows].

    A wavelet matrix over what happens at places (a row enters, +1, or leaves, -1), a level for each bit of the codes,
    the highest first: of the rows present, count those whose bit is 0, and go on among them or the others. That takes
    as many steps as a code has bits, however many rows a window holds. Whoever is present at a place is of its entity,
    so entities need no telling apart.
    """
    place = np.concatenate([first, last])
    order = np.argsort(place, kind="stable")
    sign = np.repeat([1, -1], len(first))[order]
    code = np.tile(code, 2)[order]
    # The events of the codes that are still possible, up to the place, are [begin, end) at each level.
    begin, end = np.zeros(len(at), np.int64), np.searchsorted(place[order], at, side="right")
    found = np.zeros(len(at), np.int64)
    for bit in range(int(code.max(initial=0)).bit_length() - 1, -1, -1):
        is_zero = (code >> bit) & 1 == 0
        zeros = np.concatenate([[0], np.cumsum(is_zero)])
        present = np.concatenate([[0], np.cumsum(np.where(is_zero, sign, 0))])
        below = present[end] - present[begin]
        up = k >= below
        k = k - np.where(up, below, 0)
        begin = np.where(up, zeros[-1] + begin - zeros[begin], zeros[begin])
        end = np.where(up, zeros[-1] + end - zeros[end], zeros[end])
        found = 2 * found + up
        split = np.concatenate([np.flatnonzero(is_zero), np.flatnonzero(~is_zero)])
        code, sign = code[split], sign[split]
    return found
