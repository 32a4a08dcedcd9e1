"""Rows in memory: whatever is sorted in when, an entity's rows are those that came, in their order."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from limner.language.windows import Lifetime
from limner.workers.stream.rows import RowStore
from limner.workers.windows.entities import KNOWN, TIME
from limner.workers.windows.timeline import Events, Stay, Stays
from tests.oracle.profiles import many

LEAVES = 5  # after so long a row is in no window
WINDOW = Lifetime()  # which one it is, nobody asks
Row = tuple[int, str, int, int]  # two keys, time, number


@dataclass(frozen=True)
class Batch:
    """Rows (keys, and how long before now), what is done after them."""

    rows: tuple[tuple[int, str, int], ...]
    then: str


rows = st.lists(st.tuples(st.integers(1, 3), st.sampled_from("ab"), st.integers(0, 6)), max_size=6).map(tuple)
batches = st.lists(st.builds(Batch, rows, st.sampled_from(["", "sort", "sort", "take"])), max_size=12)


def stays(events: Events) -> Stays:
    """One window, which a row is in from when it is known."""
    return Stays(events, events.known, {WINDOW: Stay(np.maximum(events.time, events.known), events.time + LEAVES)})


def table(found: list[Row], known: int) -> pa.Table:
    """As windows have them."""
    columns = list(zip(*found, strict=True)) if found else [[], [], [], []]
    kinds = [pa.int64(), pa.string(), pa.int64(), pa.int64()]
    made = pa.table([pa.array(c, k) for c, k in zip(columns, kinds, strict=True)], ["user", "shop", TIME, "n"])
    return made.append_column(KNOWN, pa.array([known] * len(found), pa.int64()))


@many(150)
@given(batches=batches)
def test_rows_are_those_that_came_in_their_order(batches: list[Batch]) -> None:
    """By entity and time, and of equal times in the order in which they came; those in no window may be gone."""
    store = RowStore(table([], 0), ["user", "shop"], stays)
    came: list[Row] = []
    for now, batch in enumerate(batches, 1):
        new = [(user, shop, now - before, len(came) + n) for n, (user, shop, before) in enumerate(batch.rows)]
        keys = sorted({row[:2] for row in came} | {row[:2] for row in new})
        expected = sorted([*came, *new], key=lambda row: (row[:2], row[2], row[3]))
        found = [tuple(row.values())[:4] for row in store.take(keys, table(new, now)).to_pylist()]
        assert [row for row in found if row[2] + LEAVES > now] == [r for r in expected if r[2] + LEAVES > now]
        assert set(found) <= set(expected)
        assert len(set(found)) == len(found)
        store.add(table(new, now))
        came += new
        if batch.then == "sort":
            store.sort_in(now)
    assert len(store) <= len(came)


def test_a_row_is_sorted_in_a_few_times_only() -> None:
    """Each tier is at least twice as large as the next; what no window holds goes when its tier is sorted."""
    store = RowStore(table([], 0), ["user", "shop"], stays)
    for now in range(1, 65):
        store.add(table([(1, "a", now, now), (2, "b", now, now)], now))
        store.sort_in(now)
        sizes = [len(tier.table) for tier in store._tiers]
        assert all(one >= 2 * other for one, other in pairwise(sizes))
    assert len(store) < 40
