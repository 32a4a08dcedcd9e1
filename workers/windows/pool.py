"""Pooling text vectors over windows: a sparse matrix of weights times a dense matrix of vectors.

Rows that enter and leave together are first added up into a cell (a day's purchases, say), so a place costs
its cells, not its rows. The grouping and the order of additions depend on the rows in the window alone: the
same window gives the same bits in any run.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy import sparse

from limner.workers.windows.column import Floats, Ints, Output

Float32s = npt.NDArray[np.float32]
_CHUNK = 1 << 21  # (place, cell) pairs expanded at a time: bounds memory to some tens of MB
_PLACES = 1 << 10  # places pooled at a time: their vectors, float64, stay in the processor's cache


@dataclass(frozen=True)
class Texts:
    """Rows that have a text vector and a positive weight, in canonical order; all arrays have shape [rows]."""

    entity: Ints
    first: Ints
    last: Ints
    enter: Ints  # µs, as known (not clipped to the base): part of what makes a cell
    leave: Ints  # µs
    time: Ints  # event timestamp, µs
    weight: Floats
    vector: Ints  # row of the matrix of vectors, which are in the order of their digests


@dataclass(frozen=True)
class _Cells:
    """Sums of rows that enter and leave together, newest row's time as reference of the decay."""

    first: Ints
    last: Ints
    time: Ints
    weight: Floats
    total: npt.NDArray[np.float64]  # [cells, dim]


def mean(texts: Texts, vectors: Float32s, places: int, half_life: int | None, newest: int | None) -> Output:
    """Weighted mean vector at each place, float32; null where no row counts."""
    dim = vectors.shape[1]
    cells = _cells(texts, vectors, half_life, single=newest is not None)
    changes = np.zeros(places + 1, bool)
    changes[cells.first] = True
    changes[cells.last] = True
    at = np.flatnonzero(changes[:places])
    pooled = np.zeros((len(at) + 1, dim), np.float32)
    present = np.zeros(len(at) + 1, bool)
    for chunk, row, cell in _pairs(cells, at, newest):
        weight = np.ones(len(cell))
        if half_life is not None:
            reference = np.zeros(len(chunk), np.int64)
            np.maximum.at(reference, row, cells.time[cell])
            weight = np.exp2((cells.time[cell] - reference[row]) / half_life)
        matrix = sparse.csr_matrix((weight, (row, cell)), shape=(len(chunk), len(cells.first)))
        total = matrix @ cells.total
        mass = matrix @ cells.weight
        some = mass > 0
        pooled[chunk[some]] = (total[some] / mass[some, None]).astype(np.float32)
        present[chunk] = some
    # Between two changes the value stays: each place points at the last change before it (the extra row: null).
    source = np.cumsum(changes[:places]) - 1
    source = np.where(source < 0, len(at), source)
    pooled += np.float32(0)  # -0.0 becomes 0.0, so that equal vectors have equal bits
    code = _code(pooled, present)[source]

    def take(chosen: Ints) -> pa.Array:
        rows = source[chosen]
        null = ~present[rows]
        lengths = np.where(null, 0, dim)
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))
        items = pa.array(pooled[rows[~null]].reshape(-1))
        return pa.ListArray.from_arrays(offsets, items, mask=pa.array(null))

    return Output(code, take)


def _code(pooled: Float32s, present: npt.NDArray[np.bool_]) -> Ints:
    """A number for each run of equal neighbours: neighbours differ exactly where their codes do, -1 is null."""
    differs = np.ones(len(pooled), bool)
    differs[1:] = (pooled[1:] != pooled[:-1]).any(axis=1) | (present[1:] != present[:-1])
    return np.where(present, np.cumsum(differs), -1)


def _cells(texts: Texts, vectors: Float32s, half_life: int | None, *, single: bool) -> _Cells:
    count = len(texts.first)
    order, fresh = np.arange(count), np.ones(count, bool)
    if not single and count:
        order = np.lexsort((texts.enter, texts.leave, texts.entity))
        keys = np.stack([texts.entity, texts.leave, texts.enter])[:, order]
        fresh[1:] = (keys[:, 1:] != keys[:, :-1]).any(axis=0)
    head = np.flatnonzero(fresh)
    cell = np.cumsum(fresh) - 1
    time = texts.time[order]
    tail = np.append(head[1:], count) - 1 if count else head
    weight = texts.weight[order]
    if half_life is not None and count:
        weight = weight * np.exp2((time - time[tail][cell]) / half_life)
    matrix = sparse.csr_matrix((weight, (cell, texts.vector[order])), shape=(len(head), len(vectors)))
    return _Cells(
        first=texts.first[order][head],
        last=texts.last[order][head],
        time=time[tail],
        weight=np.bincount(cell, weight, len(head)).astype(np.float64),
        total=matrix @ vectors.astype(np.float64),
    )


def _pairs(cells: _Cells, at: Ints, newest: int | None) -> Iterator[tuple[Ints, Ints, Ints]]:
    """Chunks of places (indices into `at`) with the cells that count at each: (places, row of the chunk, cell)."""
    # Rows in canonical order, and cells by their leaving, hardly ever have a `last` that falls (it does where rows
    # are withdrawn). `first` does (late rows). The greatest `last` so far and the least `first` to come bound the
    # range; what is gone or not known yet is dropped after expansion.
    low = np.searchsorted(np.maximum.accumulate(cells.last) if len(cells.last) else cells.last, at, side="right")
    bound = np.minimum.accumulate(cells.first[::-1])[::-1] if len(cells.first) else cells.first
    high = np.maximum(np.searchsorted(bound, at, side="right"), low)
    pairs = np.cumsum(high - low)
    begin = 0
    while begin < len(at):
        done = pairs[begin - 1] if begin else 0
        stop = max(begin + 1, int(np.searchsorted(pairs, done + _CHUNK, side="right")))
        stop = min(stop, begin + _PLACES, len(at))
        width = (high - low)[begin:stop]
        row = np.repeat(np.arange(stop - begin), width)
        offset = np.concatenate([[0], np.cumsum(width)[:-1]])
        cell = np.arange(int(width.sum())) - np.repeat(offset, width) + np.repeat(low[begin:stop], width)
        there = (cells.first[cell] <= at[begin:stop][row]) & (cells.last[cell] > at[begin:stop][row])
        row, cell = row[there], cell[there]
        if newest is not None and len(row):
            ends = np.searchsorted(row, row, side="right")
            keep = ends - np.arange(len(row)) <= newest
            row, cell = row[keep], cell[keep]
        yield np.arange(begin, stop), row, cell
        begin = stop
