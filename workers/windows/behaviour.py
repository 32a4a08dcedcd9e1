"""Features made by a model of sequences: at each place, the newest rows of its window are read by a network."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from limner.language.features import Encode, NextItems, OfSequence
from limner.workers.models.sequences.learned import Behaving, Encoder
from limner.workers.windows import column as c
from limner.workers.windows.rows import Bools, Ints, Rows
from limner.workers.windows.sequences import Lists
from limner.workers.windows.timeline import Timeline

Floats = npt.NDArray[np.float64]
_PLACES = 1 << 12  # whose scores of every item are looked at together


def behaviour(
    feature: OfSequence, said: Behaving | None, rows: Rows, selected: Bools | None, line: Timeline
) -> c.Output:
    """What the version says that speaks at each place; nothing before the first one, and where no row counts."""
    if selected is not None:
        rows = rows.where(selected[rows.index])
    assert feature.column is not None
    rows = rows.where(np.asarray(rows.table[feature.column].take(pa.array(rows.index)).is_valid()))
    lists = Lists(np.arange(len(rows.index)), rows.first, rows.last, rows.places, feature.length, np.empty(0, np.int64))
    turns = [cut_off for cut_off, _ in said.versions] if said is not None else []
    which = np.searchsorted(np.array(turns, np.int64), line.tick, side="right") - 1
    state = lists.state()
    changes = np.ones(line.size, bool)
    changes[1:] = (line.entity[1:] != line.entity[:-1]) | (state[1:] != state[:-1]) | (which[1:] != which[:-1])
    places = np.flatnonzero(changes)
    where = np.cumsum(changes) - 1
    found = _taker(feature, len(places))
    for version in np.unique(which[places[which[places] >= 0]]):
        assert said is not None
        encoder = said.encoder(int(version))
        table = rows.table.select(list(encoder.content.columns)).take(pa.array(rows.index))
        words = encoder.rows(table)
        mine = np.flatnonzero(which[places] == version)
        begin = 0
        for newest in lists.at(places[mine]):
            read, length = encoder.read(words, rows.time, oldest_first(newest))
            some = mine[begin : begin + len(newest)]
            begin += len(newest)
            there = length > 0
            found.put(some[there], encoder, encoder.states(read[there], length[there]))
    array, differs = found.column()
    return c.Output(np.cumsum(differs)[where], lambda chosen: array.take(pa.array(where[chosen])))


def _taker(feature: OfSequence, size: int) -> "_Vectors | _Maps":
    if isinstance(feature, Encode):
        return _Vectors(feature, size)
    assert isinstance(feature, NextItems)
    return _Maps(feature, size)


def oldest_first(newest: Ints) -> Ints:
    """Lists [lists, rows], newest first, the other way round; -1 ends a list."""
    length = (newest >= 0).sum(axis=1)
    place = length[:, None] - 1 - np.arange(newest.shape[1])
    return np.where(place >= 0, np.take_along_axis(newest, np.maximum(place, 0), axis=1), -1)


class _Vectors:
    """States as vectors; null where there is none."""

    def __init__(self, feature: Encode, size: int) -> None:
        self._matrix = np.zeros((size, feature.dim), np.float32)
        self._there = np.zeros(size, bool)

    def put(self, places: Ints, _encoder: Encoder, states: Floats) -> None:
        """Take the states [places, dim] of some places."""
        self._matrix[places] = states
        self._there[places] = True

    def column(self) -> tuple[pa.Array, Bools]:
        """The vectors, and which differ from the one before."""
        length = np.where(self._there, self._matrix.shape[1], 0)
        offsets = pa.array(np.concatenate([[0], np.cumsum(length)]).astype(np.int32))
        items = pa.array(self._matrix[self._there].reshape(-1))
        return (
            pa.ListArray.from_arrays(offsets, items, mask=pa.array(~self._there)),
            _differs(self._matrix, self._there[:, None]),
        )


class _Maps:
    """The likeliest items and their probabilities, sorted by their text."""

    def __init__(self, feature: NextItems, size: int) -> None:
        self._names: dict[str, int] = {}
        self._name = np.full((size, feature.k), -1)
        self._share = np.zeros((size, feature.k))

    def put(self, places: Ints, encoder: Encoder, states: Floats) -> None:
        """Take what follows the states [places, dim] of some places."""
        code = np.array([self._names.setdefault(each, len(self._names)) for each in encoder.items], np.int64)
        text = np.empty(len(encoder.items), np.int64)
        text[np.argsort(np.array([each.encode() for each in encoder.items], object), kind="stable")] = np.arange(
            len(text)
        )
        for begin in range(0, len(places), _PLACES):
            some = places[begin : begin + _PLACES]
            share = encoder.network.probabilities(states[begin : begin + _PLACES])[:, 1:]
            best = likeliest(share, self._name.shape[1])
            best = np.take_along_axis(best, np.argsort(text[best], axis=1, kind="stable"), axis=1)
            self._name[some, : best.shape[1]] = code[best]
            self._share[some, : best.shape[1]] = np.take_along_axis(share, best, axis=1)

    def column(self) -> tuple[pa.Array, Bools]:
        """The maps, and which differ from the one before."""
        there = self._name >= 0
        offsets = pa.array(np.concatenate([[0], np.cumsum(there.sum(axis=1))]).astype(np.int32))
        names = pa.array(list(self._names), pa.string()).take(pa.array(self._name[there]))
        return pa.MapArray.from_arrays(offsets, names, pa.array(self._share[there])), _differs(self._name, self._share)


def likeliest(share: Floats, k: int) -> Ints:
    """[rows, at most k] places of the greatest of each row, greatest first; of equal ones the first."""
    k = min(k, share.shape[1])
    if not k or not len(share):
        return np.zeros((len(share), k), np.int64)
    least = -np.partition(-share, k - 1, axis=1)[:, k - 1]
    row, place = np.nonzero(share >= least[:, None])  # more than k where some are equal
    order = np.lexsort((place, -share[row, place], row))
    row, place = row[order], place[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    return place[rank < k].reshape(len(share), k)


def _differs(*columns: npt.NDArray[Any]) -> Bools:
    found = np.ones(len(columns[0]), bool)
    found[1:] = False
    for each in columns:
        found[1:] |= (each[1:] != each[:-1]).any(axis=1)
    return found
