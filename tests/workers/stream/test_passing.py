"""Rows by number: each is there as long as something is to happen at it, whatever is left out when."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from limner.language.windows import Lifetime
from limner.workers.stream.passing import Passing
from limner.workers.windows.entities import KNOWN, TIME
from limner.workers.windows.timeline import FOREVER, Events, Stay, Stays
from tests.oracle.profiles import many

WINDOW = Lifetime()  # which one it is, nobody asks
SCHEMA = pa.schema([("n", pa.int64()), (TIME, pa.int64()), (KNOWN, pa.int64())])
rows = st.lists(st.tuples(st.integers(-9, 3), st.integers(0, 3)), max_size=6).map(tuple)
batches = st.lists(st.tuples(rows, st.booleans()), max_size=15)


def stays(events: Events) -> Stays:
    """A row is in the window from when it is known until 5 after it happened; one that happened before 0 for ever."""
    leave = np.where(events.time < 0, FOREVER, events.time + 5)
    return Stays(events, events.known, {WINDOW: Stay(events.known, leave)})


def table(found: list[tuple[int, int, int]]) -> pa.Table:
    """As windows have them."""
    return pa.table([pa.array([row[n] for row in found], pa.int64()) for n in range(3)], schema=SCHEMA)


@many(100)
@given(batches=batches)
def test_rows_are_found_as_long_as_they_move(batches: list[tuple[tuple[tuple[int, int], ...], bool]]) -> None:
    """By the numbers they were given, at each of the instants that were told."""
    store = Passing(SCHEMA, stays)
    told: dict[int, tuple[tuple[int, int, int], set[int]]] = {}  # by number the row, and when something happens at it
    came = 0
    for now, (batch, leave_out) in enumerate(batches, 1):
        new = [(came + place, now + at, now + later) for place, (at, later) in enumerate(batch)]
        came += len(new)
        due = {row: {known, *([] if at < 0 else [at + 5])} for row in new for _, at, known in [row]}
        instants, numbers = store.add(table(new), now)
        found: dict[int, set[int]] = {}
        for instant, number in zip(instants.tolist(), numbers.tolist(), strict=True):
            found.setdefault(number, set()).add(instant)
        kept = [row for row in new if any(each > now for each in due[row])]
        assert len(found) == len(kept)
        for row, number in zip(kept, sorted(found), strict=True):
            assert found[number] == {each for each in due[row] if each > now}
            told[number] = row, found[number]
        told = {number: each for number, each in told.items() if any(instant > now for instant in each[1])}
        asked = np.array(sorted(told), np.int64)
        assert [tuple(row.values()) for row in store.take(asked).to_pylist()] == [told[n][0] for n in asked.tolist()]
        assert store.take(asked[:0]).schema == SCHEMA
        if leave_out:
            store.leave_out(now)
            sizes = [len(tier.numbers) for tier in store._tiers]
            assert all(one >= 2 * other for one, other in pairwise(sizes))
    assert len(told) <= len(store) <= came
    assert sum(map(len, store)) == len(store)
