"""Rows of one source that have still to come into a window or to leave one, in memory, by number."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from limner.workers.stream.rows import due, events_of
from limner.workers.windows.column import Ints
from limner.workers.windows.timeline import Events, Stays

_RECENT = 20_000  # rows that came, before those that have passed are left out


@dataclass(frozen=True)
class _Tier:
    """Rows and their numbers, ascending."""

    numbers: Ints
    table: pa.Table


class Passing:
    """Rows are numbered as they come, and found by number: how many there are, of whomever, makes no difference.

    Those that came lately are in one piece; those before in tiers, each at least twice as large as the next. A row at
    which nothing will happen any more goes when its tier is made anew; one at which nothing will is not taken in.
    """

    def __init__(self, schema: pa.Schema, stays: Callable[[Events], Stays]) -> None:
        """None are there. `stays` says when rows are in which windows."""
        self._stays = stays
        self._tiers: list[_Tier] = []
        self._empty = schema.empty_table()  # a slice of a table would keep it all
        self._recent, self._first, self._next = self._empty, 0, 0
        self._parts: list[pa.Table] = []

    def __len__(self) -> int:
        return sum(len(tier.numbers) for tier in self._tiers) + self._next - self._first

    def __iter__(self) -> Iterator[pa.Table]:
        """All rows that are there."""
        yield from (tier.table for tier in self._tiers)
        yield self._merged()

    def add(self, rows: pa.Table, after: int) -> tuple[Ints, Ints]:
        """Take in the rows at which something happens after an instant (µs): those instants, and the number of each."""
        instants, places = due(self._stays(events_of(rows)), after)
        kept, place = np.unique(places, return_inverse=True)
        begin, self._next = self._next, self._next + len(kept)
        if len(kept):
            self._parts.append(rows if len(kept) == len(rows) else rows.take(pa.array(kept)))
        return instants, begin + place

    def take(self, numbers: Ints) -> pa.Table:
        """The rows of some numbers, ascending."""
        ends = np.searchsorted(numbers, [*(tier.numbers[0] for tier in self._tiers[1:]), self._first])
        parts, begin = [], 0
        for tier, end in zip(self._tiers, ends[: len(self._tiers)].tolist(), strict=True):
            if begin < end:
                at = np.searchsorted(tier.numbers, numbers[begin:end])
                assert (tier.numbers[at] == numbers[begin:end]).all()
                parts.append(tier.table.take(pa.array(at)))
            begin = end
        if begin < len(numbers):
            parts.append(self._merged().take(pa.array(numbers[begin:] - self._first)))
        return pa.concat_tables([self._empty, *parts])

    @property
    def crowded(self) -> bool:
        """Whether many rows have come."""
        return self._next - self._first > _RECENT

    def leave_out(self, instant: int) -> None:
        """Leave out the rows at which nothing happens after an instant (µs), as far as that is cheap."""
        merged = [_Tier(np.arange(self._first, self._next), self._merged())]
        while self._tiers and len(self._tiers[-1].numbers) < 2 * sum(len(tier.numbers) for tier in merged):
            merged.insert(0, self._tiers.pop())
        numbers = np.concatenate([tier.numbers for tier in merged])
        table = pa.concat_tables(tier.table for tier in merged).combine_chunks()
        kept = np.unique(due(self._stays(events_of(table)), instant)[1])
        if len(kept):
            self._tiers.append(_Tier(numbers[kept], table.take(pa.array(kept)).combine_chunks()))
        self._recent, self._first = self._empty, self._next

    def _merged(self) -> pa.Table:
        if self._parts:
            self._recent = pa.concat_tables([self._recent, *self._parts]).combine_chunks()
            self._parts = []
        return self._recent
