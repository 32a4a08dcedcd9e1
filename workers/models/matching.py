"""Which segment is which earlier one: those that hold the same entities are."""

from collections.abc import Sequence

import numpy as np

from limner.workers.derive.values import Array

ALIKE = 0.25
"""A segment is an earlier one if so large a part of those who are in either is in both."""


def matched(before: Array, after: Array, olds: int, news: int) -> dict[int, int]:
    """New segment to the earlier one that it is, of [entities] places of either (-1: none).

    One to one, so that the parts in common are largest together (H. Kuhn, 1955: the Hungarian method).
    """
    from scipy.optimize import linear_sum_assignment

    both = np.zeros((olds, news))
    here = (before >= 0) & (after >= 0)
    np.add.at(both, (before[here], after[here]), 1)
    sizes_before = np.bincount(before[before >= 0], minlength=olds)
    sizes_after = np.bincount(after[after >= 0], minlength=news)
    either = sizes_before[:, None] + sizes_after[None, :] - both
    alike = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    rows, columns = linear_sum_assignment(alike, maximize=True)
    return {int(new): int(old) for old, new in zip(rows, columns, strict=True) if alike[old, new] >= ALIKE}


def moves(before: Array, after: Array) -> tuple[tuple[int, int, int], ...]:
    """(from, to, how many entities), the most first, of [entities] numbers of segments before and after."""
    pairs, counts = np.unique(np.stack([before, after], axis=1), axis=0, return_counts=True)
    found = [(int(a), int(b), int(n)) for (a, b), n in zip(pairs.tolist(), counts.tolist(), strict=True) if a != b]
    return tuple(sorted(found, key=lambda each: (-each[2], each[0], each[1])))


def numbered(match: dict[int, int], earlier: Sequence[int], news: int, first: int) -> tuple[tuple[int, ...], int]:
    """The numbers of the new segments, and the next free one: those of earlier ones stay, others begin at `first`."""
    found, free = [], first
    for new in range(news):
        if new in match:
            found.append(earlier[match[new]])
        else:
            found.append(free)
            free += 1
    return tuple(found), free
