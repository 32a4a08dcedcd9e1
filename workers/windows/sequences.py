"""Sequences: the newest n values of a window, newest first."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from limner.language import features as f
from limner.workers.windows import column as c
from limner.workers.windows import cover, spans
from limner.workers.windows.rows import Ints, Rows, running

_CHUNK = 1 << 20  # values looked at at a time: bounds memory to some tens of MB


def sequence(feature: f.Sequence, rows: Rows) -> c.Output:
    """The newest values that are not null; with `distinct`, each value where it is newest."""
    rows, ranked = rows.coded(feature.of)
    code, first, last = ranked.code, rows.first, rows.last
    if feature.distinct:
        item, first, last = _newest_of_equals(rows, code, len(ranked.values))
        code = code[item]
    column, filler = ranked, np.empty(0, np.int64)
    for value in feature.default or ():
        column, place = column.position(value)
        filler = np.append(filler, place)
    lists = Lists(code, first, last, rows.places, feature.sequence, filler)

    def take(chosen: Ints) -> pa.Array:
        pieces, lengths = [], []
        for table in lists.at(chosen):
            pieces.append(table[table >= 0])
            lengths.append((table >= 0).sum(axis=1))
        flat = np.concatenate([*pieces, np.empty(0, np.int64)])
        length = np.concatenate([*lengths, np.empty(0, np.int64)])
        null = (length == 0) & (feature.default is None)
        offsets = pa.array(np.concatenate([[0], np.cumsum(length)]).astype(np.int32))
        return pa.ListArray.from_arrays(offsets, column.values.take(pa.array(flat)), mask=pa.array(null))

    return c.Output(lists.state(), take)


def _newest_of_equals(rows: Rows, code: Ints, values: int) -> tuple[Ints, Ints, Ints]:
    """(row, first, last): where each row is the newest of its entity with its value; sorted by row."""
    stages = spans.stages(rows.entity * (values + 1) + code, rows.first, rows.last, rows.places)
    winner = cover.best(stages.first, stages.last, np.arange(len(code)), stages.size)
    head = np.flatnonzero(spans.new_group(stages.group) | np.append(True, winner[1:] != winner[:-1]))
    some = np.flatnonzero(winner[head] >= 0)  # the last stage of a group has none: another head follows each of these
    first, last, item = stages.place[head[some]], stages.place[head[some + 1]], winner[head[some]]
    order = np.lexsort((first, item))
    return item[order], first[order], last[order]


class Lists:
    """For each place the newest `n` of the items that count there, or `filler`; items are in canonical order."""

    def __init__(self, code: Ints, first: Ints, last: Ints, places: int, n: int, filler: Ints) -> None:
        self._code, self._first, self._last, self._n, self._filler = code, first, last, n, filler
        self._width = max(n, len(filler))
        self._places = places
        self._count = np.minimum(running(first, last, places), n)
        # The items that count at a place lie between those that have all gone and those that have yet to come.
        self._gone = np.maximum.accumulate(last) if len(last) else last
        self._come = np.minimum.accumulate(first[::-1])[::-1]

    def at(self, places: Ints) -> Iterator[Ints]:
        """Codes of the lists at some places, a chunk of them at a time: shape [chunk, width], -1 ends a list."""
        step = max(1, _CHUNK // self._width)
        for begin in range(0, len(places), step):
            yield self._chunk(places[begin : begin + step])

    def state(self) -> Ints:
        """[places] numbers that differ between neighbours exactly where their lists do."""
        changes = np.zeros(self._places + 1, bool)
        changes[self._first] = True
        changes[self._last] = True
        at = np.flatnonzero(changes[:-1])
        differs = np.zeros(self._places, np.int64)
        before = np.full((1, self._width), -1)  # an empty list: what an entity ends and begins with
        before[0, : len(self._filler)] = self._filler
        begin = 0
        for table in self.at(at):
            both = np.concatenate([before, table])
            differs[at[begin : begin + len(table)]] = (both[1:] != both[:-1]).any(axis=1)
            before, begin = table[-1:], begin + len(table)
        return np.cumsum(differs)

    def _chunk(self, places: Ints) -> Ints:
        table = np.full((len(places), self._width), -1, np.int64)
        low = np.searchsorted(self._gone, places, side="right")
        high = np.searchsorted(self._come, places, side="right")
        wanted = self._count[places]
        table[np.ix_(wanted == 0, np.arange(len(self._filler)))] = self._filler
        left = np.flatnonzero(wanted)
        width = np.minimum(wanted[left], (high - low)[left])
        while len(left):
            some = self._some(width)
            now, reach = left[:some], width[:some]
            item, owner = spans.expand(high[now] - reach, reach)
            counts = (self._first[item] <= places[now][owner]) & (self._last[item] > places[now][owner])
            item, owner = item[counts], owner[counts]
            found = np.bincount(owner, minlength=len(now))
            # Newest first: the rank of an item counts the later ones of its place.
            rank = np.repeat(np.cumsum(found), found) - 1 - np.arange(len(owner))
            done = found >= wanted[now]
            kept = done[owner] & (rank < self._n)
            table[now[owner[kept]], rank[kept]] = self._code[item[kept]]
            again = now[~done]
            left = np.concatenate([again, left[some:]])
            wider = np.minimum(2 * reach[~done], (high - low)[again])
            width = np.concatenate([wider, width[some:]])
        return table

    @staticmethod
    def _some(width: Ints) -> int:
        """How many places, at least one, look at no more than a chunk of items."""
        return max(1, int(np.searchsorted(np.cumsum(width), _CHUNK, side="right")))
