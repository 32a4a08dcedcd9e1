"""The rows that a version learns from, and what follows what in them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.language.learning.sequence import SequenceEncoder
from limner.workers.derive.population import sample
from limner.workers.models.sequences.vocabulary import texts
from limner.workers.windows.column import Bools, Ints
from limner.workers.windows.conditions import masks
from limner.workers.windows.entities import KNOWN, TIME, UNTIL
from limner.workers.windows.spans import expand

MOST = 2_000_000
"""At most so many rows are learned from: of more, those of entities whose keys' SHA-256 is least."""


@dataclass(frozen=True)
class Events:
    """Rows of entities, sorted by entity, then canonically. All have shape [rows].

    `entity`: codes 0..n-1 by rising keys; `time`: µs; `words`: by column the text of its category, the item's first.
    """

    entity: Ints
    time: Ints
    words: tuple[pa.Array, ...]
    identity: str

    def __len__(self) -> int:
        return len(self.entity)

    def of(self, mask: Bools) -> "Events":
        """Some of the rows."""
        some = pa.array(np.flatnonzero(mask))
        return Events(self.entity[mask], self.time[mask], tuple(each.take(some) for each in self.words), self.identity)

    @cached_property
    def first(self) -> Ints:
        """[rows] the first row of the entity of each."""
        return np.searchsorted(self.entity, self.entity, side="left")

    @cached_property
    def instants(self) -> "Instants":
        """The instants of entities."""
        fresh = np.ones(len(self), bool)
        fresh[1:] = (self.entity[1:] != self.entity[:-1]) | (self.time[1:] != self.time[:-1])
        begin = np.flatnonzero(fresh)
        return Instants(begin, np.append(begin[1:], len(self)), self.entity[begin], self.time[begin])


@dataclass(frozen=True)
class Instants:
    """What an entity has at one instant: rows `begin` up to `end`. All have shape [instants]."""

    begin: Ints
    end: Ints
    entity: Ints
    time: Ints


@dataclass(frozen=True)
class Following:
    """What follows a row: the last row of an instant, and the distinct items of the entity's next instant.

    `row`, `time` (µs, of what follows) and `count` [follows]; `item` the places of their items, one after the other.
    """

    row: Ints
    time: Ints
    count: Ints
    item: Ints

    @property
    def owner(self) -> Ints:
        """[items] what each item belongs to."""
        return np.repeat(np.arange(len(self.row)), self.count)

    def of(self, chosen: Ints) -> "Following":
        """Some of them, in this order."""
        place, _ = expand((np.cumsum(self.count) - self.count)[chosen], self.count[chosen])
        return Following(self.row[chosen], self.time[chosen], self.count[chosen], self.item[place])

    def between(self, begin: int, end: int) -> "Following":
        """Those whose items come at begin <= time < end."""
        return self.of(np.flatnonzero((self.time >= begin) & (self.time < end)))


def following(events: Events, item: Ints) -> Following:
    """What follows each instant that is not an entity's last; `item` [rows] are places of items."""
    instants = events.instants
    has = np.flatnonzero(instants.entity[1:] == instants.entity[:-1])
    rows, owner = expand(instants.begin[has + 1], (instants.end - instants.begin)[has + 1])
    width = int(item.max(initial=0)) + 1
    pairs = np.unique(owner * width + item[rows])
    return Following(
        row=instants.end[has] - 1,
        time=instants.time[has + 1],
        count=np.bincount(pairs // width, minlength=len(has)),
        item=pairs % width,
    )


def newest(events: Events, row: Ints, length: int) -> Ints:
    """[row, length] the rows of an entity up to each of some, oldest first; -1 ends a list."""
    begin = np.maximum(events.first[row], row - length + 1)
    place = begin[:, None] + np.arange(length)
    return np.where(place <= row[:, None], place, -1)


def read_events(shards: Iterable[Path], join_keys: Sequence[str], learns: SequenceEncoder, cut_off: int) -> Events:
    """The staged rows that are an entity's as of the cut-off (µs), have an item, and are learned from."""
    tables = [_kept(pq.read_table(path), learns, cut_off) for path in shards]
    table = pa.concat_tables(tables)
    entities = table.select(list(join_keys)).group_by(list(join_keys)).aggregate([])
    if len(table) > MOST and len(entities) > 1:
        part = max(1, len(entities) * MOST // len(table))
        table = table.join(sample(entities, join_keys, part), list(join_keys), join_type="inner")
    order = [*((key, "ascending") for key in join_keys), ("__place", "ascending")]
    table = table.sort_by(order).combine_chunks()
    fresh = np.ones(len(table), bool)
    fresh[1:] = False
    for key in join_keys:
        fresh[1:] |= np.asarray(pc.not_equal(table[key].slice(1), table[key].slice(0, max(len(table) - 1, 0))), bool)
    words = tuple(texts(table[name]) for name in learns.read)
    return Events(
        entity=np.cumsum(fresh) - 1,
        time=np.asarray(table[TIME].to_numpy(), np.int64),
        words=words,
        identity=_digest([*(texts(table[key]) for key in join_keys), *words], np.asarray(table[TIME].to_numpy())),
    )


def _kept(rows: pa.Table, learns: SequenceEncoder, cut_off: int) -> pa.Table:
    keep = np.asarray(pc.less_equal(rows[KNOWN], cut_off)) & np.asarray(rows[learns.item].is_valid())
    if UNTIL in rows.column_names:
        keep &= np.asarray(pc.fill_null(pc.greater(rows[UNTIL], cut_off), True))
        rows = rows.drop_columns([UNTIL])
    if learns.over is not None:
        keep &= np.asarray(pc.greater_equal(rows[TIME], cut_off - learns.over.micros))
    (holds,) = masks(rows, [learns.where])
    rows = rows.append_column("__place", pa.array(np.arange(len(rows))))
    return rows.filter(pa.array(keep if holds is None else keep & holds))


def _digest(columns: Iterable[pa.Array], time: npt.NDArray[np.int64]) -> str:
    """sha256 (hex) of all rows."""
    found = hashlib.sha256(np.ascontiguousarray(time, ">i8").tobytes())
    for column in columns:
        filled = column.fill_null("\x00")  # no text of a row holds it
        found.update(np.asarray(pc.binary_length(filled)).astype(">i4").tobytes())
        found.update("".join(filled.to_pylist()).encode())
    return found.hexdigest()
