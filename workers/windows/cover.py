"""Which spans cover a place, and the best of them: stabbing queries without a loop over rows.

A span [first, last) of length L is the union of two blocks of the power of two below L. Marks are put on
blocks, then pushed down level by level until every block is one place (a sparse table, built in reverse):
O(n + places * log(longest span)) whatever the order of rows, so late rows cost nothing special.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
NONE = -1


def best(first: Ints, last: Ints, priority: Ints, size: int) -> Ints:
    """Shape [size]: the greatest priority (>= 0) of the spans covering each place, NONE where there is none."""
    return best_k(first, last, priority, size, 1)[:, 0]


def best_k(first: Ints, last: Ints, priority: Ints, size: int, k: int) -> Ints:
    """Shape [size, k]: the k greatest distinct priorities covering each place, greatest first, then NONE."""
    table = np.full((size, k), NONE, np.int64)
    if not len(first):
        return table
    level = np.frexp((last - first).astype(np.float64))[1] - 1  # floor(log2), exact for lengths below 2**53
    for step in range(int(level.max()), -1, -1):
        chosen = np.flatnonzero(level == step)
        if len(chosen):
            head, mark = first[chosen], priority[chosen]
            _put(table, np.concatenate([head, last[chosen] - (1 << step)]), np.concatenate([mark, mark]))
        if step:
            half = 1 << (step - 1)
            pushed = table.copy()
            _merge(pushed[half:], table[: size - half])
            table = pushed
    return table


def _put(table: Ints, place: Ints, mark: Ints) -> None:
    """Mark blocks: each place keeps its k best distinct marks."""
    if table.shape[1] == 1:
        np.maximum.at(table[:, 0], place, mark)
        return
    order = np.lexsort((-mark, place))
    place, mark = place[order], mark[order]
    fresh = np.ones(len(place), bool)
    fresh[1:] = (place[1:] != place[:-1]) | (mark[1:] != mark[:-1])
    place, mark = place[fresh], mark[fresh]
    start = np.flatnonzero(np.concatenate([[True], place[1:] != place[:-1]]))
    rank = np.arange(len(place)) - np.repeat(start, np.diff(np.append(start, len(place))))
    kept = rank < table.shape[1]
    some = place[start]
    fresh_marks = np.full((len(some), table.shape[1]), NONE, np.int64)
    row = np.repeat(np.arange(len(some)), np.diff(np.append(start, len(place))))
    fresh_marks[row[kept], rank[kept]] = mark[kept]
    merged = table[some]
    _merge(merged, fresh_marks)
    table[some] = merged


def _merge(into: Ints, other: Ints) -> None:
    """Keep the k best distinct marks of two tables, row by row, in `into`."""
    k = into.shape[1]
    if k == 1:
        np.maximum(into, other, out=into)
        return
    both = np.sort(np.concatenate([into, other], axis=1), axis=1)[:, ::-1]
    both[:, 1:][both[:, 1:] == both[:, :-1]] = NONE  # one span reaches a place through two blocks
    into[:] = np.sort(both, axis=1)[:, ::-1][:, :k]
