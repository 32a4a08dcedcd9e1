"""The rows of one source that windows may still hold, by entity, in memory."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.workers.plan import ViewPlan
from limner.workers.staged import windows_of
from limner.workers.windows.column import Bools, Ints
from limner.workers.windows.entities import KNOWN, TIME
from limner.workers.windows.timeline import FOREVER, Events, Stays, stays

Key = tuple[Any, ...]
_RECENT = 20_000  # rows that are looked up one by one, before they are sorted in


@dataclass(frozen=True)
class _Tier:
    """Rows in canonical order, and where those of an entity are: [first, last)."""

    table: pa.Table
    index: Mapping[Key, tuple[int, int]]


class RowStore:
    """Rows in canonical order within an entity: a row that became known later stands behind its equals.

    `stays` says when rows are in which windows. Rows that came lately are looked up one by one; those before are in
    tiers that were sorted, each at least twice as large as the next: a row is sorted in anew a few times only, however
    many there are.
    """

    def __init__(
        self, table: pa.Table, keys: Sequence[str], stays: Callable[[Events], Stays], *, newest: bool = False
    ) -> None:
        """Rows sorted by `keys`, then canonically. `newest`: of those that are known, an entity's last one is all."""
        self.keys = tuple(keys)
        self._stays, self._newest = stays, newest
        self._empty = table.schema.empty_table()  # a slice would keep it all
        self._tiers = [self._tier(table.combine_chunks())]
        self._forget_recent()

    def __len__(self) -> int:
        return sum(len(tier.table) for tier in self._tiers) + self._recent_rows

    def take(self, keys: Sequence[Key], new: pa.Table | None = None) -> pa.Table:
        """The rows of some entities (sorted, once each), with `new` ones of these among them."""
        recent = self._merged()
        parts, codes = [], []
        for tier in self._tiers:  # the older first
            old, old_code = _gather([tier.index.get(key, _NONE) for key in keys])
            parts.append(tier.table.take(pa.array(old)))
            codes.append(old_code)
        late = [self._recent.get(key, ()) for key in keys]
        late_rows = np.array([row for rows in late for row in rows], np.int64)
        late_code = np.repeat(np.arange(len(keys)), [len(rows) for rows in late])
        parts.append(recent.take(pa.array(late_rows)))
        codes.append(late_code)
        if new is not None:
            rank = {key: number for number, key in enumerate(keys)}
            parts.append(new)
            codes.append(np.array([rank[key] for key in keys_of(new, self.keys)], np.int64))
        return in_order(pa.concat_tables(parts).combine_chunks(), np.concatenate(codes))

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
        tables = [pa.concat_tables(self._parts)]
        while self._tiers and len(self._tiers[-1].table) < 2 * sum(map(len, tables)):
            tables.insert(0, self._tiers.pop().table)
        self._tiers.append(self._tier(self._sorted(pa.concat_tables(tables).combine_chunks(), instant)))
        self._forget_recent()

    def _sorted(self, table: pa.Table, instant: int) -> pa.Table:
        table = in_order(table, _codes(table, self.keys))
        needed = _column(table, KNOWN) > instant
        for stay in self._stays(events_of(table)).windows.values():
            needed |= stay.leave > instant
        if self._newest:
            needed &= ~_followed(table, self.keys, instant)
        return table.filter(pa.array(needed)).combine_chunks()

    def due(self, table: pa.Table, after: int) -> tuple[Ints, Ints]:
        """Instants after `after` (µs) at which windows may change by these rows, and the row of each."""
        return due(self._stays(events_of(table)), after)

    @property
    def base(self) -> pa.Table:
        """The rows that are sorted in: all of them, before any came."""
        return pa.concat_tables([tier.table for tier in self._tiers])

    def _tier(self, table: pa.Table) -> _Tier:
        first = np.flatnonzero(_fresh(table, self.keys))
        ends = np.append(first, len(table))[1:]
        owners = keys_of(table.take(pa.array(first)), self.keys)
        return _Tier(table, dict(zip(owners, zip(first.tolist(), ends.tolist(), strict=True), strict=True)))

    def _forget_recent(self) -> None:
        self._parts: list[pa.Table] = [self._empty]
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


def stays_of(plan: ViewPlan, source: str) -> Callable[[Events], Stays]:
    """When rows of a source (or member) are in the windows through which a view looks at them."""
    windows = windows_of(plan, source)
    return lambda rows: stays(plan.view.grid, rows, windows)


def events_of(table: pa.Table) -> Events:
    """When rows happened and became known; whom they are about is left out."""
    return Events(np.zeros(len(table), np.int64), _column(table, TIME), _column(table, KNOWN))


def in_order(table: pa.Table, owners: Ints) -> pa.Table:
    """Rows by the rank of their owner (shape [rows]), then time; of equal ones what stands behind comes later."""
    return table.take(pa.array(np.lexsort((_column(table, TIME), owners))))


def due(stays: Stays, after: int) -> tuple[Ints, Ints]:
    """Instants after `after` (µs) at which rows become known, enter or leave a window, and the row of each."""
    found = [stays.known, *(each for stay in stays.windows.values() for each in (stay.enter, stay.leave))]
    instants = np.concatenate(found)
    rows = np.tile(np.arange(len(stays.known)), len(found))
    later = (instants > after) & (instants < FOREVER)
    return instants[later], rows[later]


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
    code = np.zeros(len(table), np.int64)
    for key in keys:
        encoded = table[key].combine_chunks().dictionary_encode()
        rank = np.empty(len(encoded.dictionary), np.int64)
        rank[np.asarray(pc.sort_indices(encoded.dictionary))] = np.arange(len(rank))
        code = code * max(len(rank), 1) + rank[np.asarray(encoded.indices)]
        _, code = np.unique(code, return_inverse=True)
    return code.astype(np.int64, copy=False)


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
