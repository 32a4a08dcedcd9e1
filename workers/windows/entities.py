"""Rows of several sources by entity: one code for an entity wherever it occurs, and blocks of whole entities."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.workers.windows.column import Bools, Ints
from limner.workers.windows.timeline import FOREVER, Events

TIME, KNOWN, UNTIL = "__ts", "__known", "__until"  # µs; the last may be missing, or null


@dataclass(frozen=True)
class SourceRows:
    """Rows of one source in canonical order, and whom they are about and when."""

    table: pa.Table
    events: Events


@dataclass(frozen=True)
class Block:
    """Some entities, whole: `keys` (one row an entity, sorted) and their rows by source; codes are rows of `keys`."""

    keys: pa.Table
    sources: Mapping[str, SourceRows]

    def only(self, entities: Bools) -> "Block":
        """The block of the entities where the mask (shape [entities]) holds."""
        code = np.cumsum(entities) - 1
        sources = {}
        for name, rows in self.sources.items():
            kept = entities[rows.events.entity]
            table = rows.table.filter(pa.array(kept))
            sources[name] = SourceRows(table, _events(table, code[rows.events.entity[kept]]))
        return Block(self.keys.filter(pa.array(entities)), sources)


def blocks(tables: Mapping[str, pa.Table], keys: tuple[str, ...], size: int) -> Iterator[Block]:
    """Blocks of about `size` rows, in the order of the keys. Each table is sorted by `keys`, then canonically."""
    entities, codes = _coded(tables, keys)
    count = len(entities)
    ends = np.zeros(count, np.int64)
    for code in codes.values():
        ends += np.bincount(code, minlength=count)
    ends = np.cumsum(ends)
    begin, done = 0, 0
    while begin < count:
        stop = int(np.searchsorted(ends, min(done + size, ends[-1]), side="left")) + 1
        sources = {name: _slice(table, codes[name], begin, stop) for name, table in tables.items()}
        yield Block(entities.slice(begin, stop - begin), sources)
        begin, done = stop, int(ends[stop - 1])


def _slice(table: pa.Table, code: Ints, begin: int, stop: int) -> SourceRows:
    low, high = (int(place) for place in np.searchsorted(code, [begin, stop]))
    rows = table.slice(low, high - low)
    return SourceRows(rows, _events(rows, code[low:high] - begin))


def _events(rows: pa.Table, entity: Ints) -> Events:
    time, known = (np.asarray(rows[name].to_numpy(), np.int64) for name in (TIME, KNOWN))
    until = None
    if UNTIL in rows.column_names:
        until = np.asarray(rows[UNTIL].fill_null(int(FOREVER)).to_numpy(), np.int64)
    return Events(entity, time, known, until)


def _coded(tables: Mapping[str, pa.Table], keys: tuple[str, ...]) -> tuple[pa.Table, dict[str, Ints]]:
    """The entities of all tables (sorted, once each) and, by table, the code of each row's."""
    heads, local = {}, {}
    for name, table in tables.items():
        fresh = _fresh(table, keys)
        heads[name] = table.select(keys).filter(pa.array(fresh))
        local[name] = np.cumsum(fresh) - 1
    if len(tables) == 1:
        return next(iter(heads.values())), local
    every = pa.concat_tables(heads.values())
    order = pc.sort_indices(every, sort_keys=[(key, "ascending") for key in keys])
    ranked = every.take(order)
    fresh = _fresh(ranked, keys)
    code = np.empty(len(every), np.int64)
    code[order.to_numpy()] = np.cumsum(fresh) - 1
    found, begin = {}, 0
    for name, head in heads.items():
        found[name] = code[begin : begin + len(head)][local[name]]
        begin += len(head)
    return ranked.filter(pa.array(fresh)), found


def _fresh(table: pa.Table, keys: tuple[str, ...]) -> Bools:
    """[rows] whether a row of a sorted table is the first of its entity."""
    fresh = np.zeros(len(table), bool)
    fresh[:1] = True
    for key in keys:
        column = table[key]
        fresh[1:] |= np.asarray(pc.not_equal(column.slice(1), column.slice(0, max(len(table) - 1, 0))), bool)
    return fresh
