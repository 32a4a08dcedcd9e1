"""The rows of one source that windows may still hold, by entity, in memory."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from limner.workers.windows.column import Bools, Ints
from limner.workers.windows.entities import KNOWN, TIME
from limner.workers.windows.timeline import FOREVER, Events, Stays

Key = tuple[Any, ...]
_RECENT = 20_000  # rows that are looked up one by one, before they are sorted in


class RowStore:
    """Rows in canonical order within an entity: a row that became known later stands behind its equals.

    `stays` says when rows are in which windows.
    """

    def __init__(
        self, table: pa.Table, keys: Sequence[str], stays: Callable[[Events], Stays], *, newest: bool = False
    ) -> None:
        """Rows sorted by `keys`, then canonically. `newest`: of those that are known, an entity's last one is all."""
        self.keys = tuple(keys)
        self._stays, self._newest = stays, newest
        self._settle(table.combine_chunks())

    def __len__(self) -> int:
        return len(self._base) + self._recent_rows

    def take(self, keys: Sequence[Key], new: pa.Table | None = None) -> pa.Table:
        """The rows of some entities (sorted, once each), with `new` ones of these among them."""
        recent = self._merged()
        old, old_code = _gather([self._index.get(key, _NONE) for key in keys])
        late = [self._recent.get(key, ()) for key in keys]
        late_rows = np.array([row for rows in late for row in rows], np.int64)
        late_code = np.repeat(np.arange(len(keys)), [len(rows) for rows in late])
        parts, codes = [self._base.take(pa.array(old)), recent.take(pa.array(late_rows))], [old_code, late_code]
        if new is not None:
            rank = {key: number for number, key in enumerate(keys)}
            parts.append(new)
            codes.append(np.array([rank[key] for key in keys_of(new, self.keys)], np.int64))
        table = pa.concat_tables(parts).combine_chunks()
        order = np.lexsort((_column(table, TIME), np.concatenate(codes)))  # stable: what came later stands behind
        return table.take(pa.array(order))

    def add(self, new: pa.Table) -> None:
        """Keep rows that became known after all that are there."""
        for row, key in enumerate(keys_of(new, self.keys), self._recent_rows):
            rows = self._recent.setdefault(key, [])
            if self._newest:
                rows.clear()
            rows.append(row)
        self._parts.append(new)
        self._recent_rows += len(new)

    @property
    def crowded(self) -> bool:
        """Whether rows should be sorted in."""
        return self._recent_rows > _RECENT

    def sort_in(self, instant: int) -> None:
        """Sort in what came, and leave out what no window holds or will hold after `instant` (µs)."""
        table = pa.concat_tables([self._base, *self._parts]).combine_chunks()
        code = _codes(table, self.keys)
        table = table.take(pa.array(np.lexsort((_column(table, TIME), code))))
        stays = self._stays(events_of(table))
        needed = _column(table, KNOWN) > instant
        for stay in stays.windows.values():
            needed |= stay.leave > instant
        if self._newest:
            needed &= ~_followed(table, self.keys, instant)
        self._settle(table.filter(pa.array(needed)).combine_chunks())

    def due(self, table: pa.Table, after: int) -> tuple[Ints, Ints]:
        """Instants after `after` (µs) at which windows may change by these rows, and the row of each."""
        stays = self._stays(events_of(table))
        found = [stays.known, *(each for stay in stays.windows.values() for each in (stay.enter, stay.leave))]
        instants = np.concatenate(found) if len(table) else np.empty(0, np.int64)
        rows = np.tile(np.arange(len(table)), len(found))
        later = (instants > after) & (instants < FOREVER)
        return instants[later], rows[later]

    @property
    def base(self) -> pa.Table:
        """The rows that are sorted in."""
        return self._base

    def _settle(self, base: pa.Table) -> None:
        self._base = base
        self._index: dict[Key, tuple[int, int]] = {}
        first = np.flatnonzero(_fresh(base, self.keys))
        ends = np.append(first, len(base))[1:]
        owners = keys_of(base.take(pa.array(first)), self.keys)
        self._index = dict(zip(owners, zip(first.tolist(), ends.tolist(), strict=True), strict=True))
        self._parts: list[pa.Table] = [base.slice(0, 0)]
        self._recent: dict[Key, list[int]] = {}
        self._recent_rows = 0

    def _merged(self) -> pa.Table:
        if len(self._parts) > 1:
            self._parts = [pa.concat_tables(self._parts).combine_chunks()]
        return self._parts[0]


_NONE = (0, 0)


def keys_of(table: pa.Table, keys: Sequence[str]) -> list[Key]:
    """The join keys of each row."""
    return list(zip(*(table[key].to_pylist() for key in keys), strict=True))


def entities_of(tables: Iterable[pa.Table], keys: Sequence[str]) -> set[Key]:
    """The entities that rows are about."""
    return {key for table in tables for key in keys_of(table, keys)}


def events_of(table: pa.Table) -> Events:
    """When rows happened and became known; whom they are about is left out."""
    return Events(np.zeros(len(table), np.int64), _column(table, TIME), _column(table, KNOWN))


def _column(table: pa.Table, name: str) -> Ints:
    return np.asarray(table[name].to_numpy(), np.int64)


def _gather(spans: Sequence[tuple[int, int]]) -> tuple[Ints, Ints]:
    """The rows of spans [first, last), and the number of the span each is of."""
    pairs = np.array(spans, np.int64).reshape(-1, 2)
    lengths = pairs[:, 1] - pairs[:, 0]
    code = np.repeat(np.arange(len(pairs)), lengths)
    before = np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.arange(len(code)) - before + pairs[:, 0][code], code


def _codes(table: pa.Table, keys: Sequence[str]) -> Ints:
    """[rows] the rank of each row's entity."""
    owners = keys_of(table, keys)
    rank = {key: number for number, key in enumerate(sorted(set(owners)))}
    return np.array([rank[key] for key in owners], np.int64)


def _fresh(table: pa.Table, keys: Sequence[str]) -> Bools:
    """[rows] whether a row of a sorted table is the first of its entity."""
    fresh = np.zeros(len(table), bool)
    fresh[:1] = True
    for key in keys:
        column = table[key].to_numpy(zero_copy_only=False)
        fresh[1:] |= column[1:] != column[:-1]
    return fresh


def _followed(table: pa.Table, keys: Sequence[str], instant: int) -> Bools:
    """[rows] whether a row of a sorted table is followed by one of its entity that is known at an instant (µs)."""
    found = np.zeros(len(table), bool)
    found[:-1] = ~_fresh(table, keys)[1:] & (_column(table, KNOWN)[1:] <= instant)
    return found
