"""Sums of entities in memory: to get them back gives the numbers that were put, whatever was put since of others."""

from fractions import Fraction

import numpy as np
import pyarrow as pa
from hypothesis import event, given
from hypothesis import strategies as st

from limner.workers.stream.held import Held
from limner.workers.windows import exact, sums
from limner.workers.windows.carried import State
from tests.oracle.profiles import many

Key = tuple[int, str]
SCHEMA = pa.schema([("user", pa.int64()), ("shop", pa.string())])
SUMS = {"one": 2, "other": 1}  # how many totals each output has

owners = st.tuples(st.integers(1, 4), st.sampled_from("ab"))
numbers = st.integers(-5, 5) | st.integers(-(2**62), 2**62)
floats = st.sampled_from([0.0, 1.5, -0.1, 1e17 / 3, -1e-13, 3e40, -5e-324, 2.0**60]) | st.floats(-1e6, 1e6)
values = st.tuples(numbers, floats, floats)
batches = st.lists(st.dictionaries(owners, values | st.just((0, 0.0, 0.0)), max_size=5), max_size=8)


def state(found: dict[Key, tuple[int, float, float]]) -> State:
    """As a micro-batch leaves it."""
    keys = pa.table([pa.array([key[n] for key in found], SCHEMA.types[n]) for n in (0, 1)], schema=SCHEMA)
    columns = [np.array([value[n] for value in found.values()], np.float64) for n in (1, 2)]
    counts = np.array([value[0] for value in found.values()], np.int64)
    limbs = [sums.compact(each) for each in (exact.of_ints(counts), *map(exact.of_floats, columns))]
    return State(keys, {"one": (limbs[0], limbs[1]), "other": (limbs[2],)})


def exactly(found: State) -> dict[Key, tuple[Fraction, ...]]:
    """The numbers, by entity."""
    columns = []
    for name, count in SUMS.items():
        for each in found.sums.get(name, [sums.zeros(len(found.keys))] * count):
            columns.append([value * Fraction(2) ** each.exponent for value in exact.to_integers(each)])
            assert not each.limb.size or np.abs(each.limb).max() <= 2**30
    keys = zip(*(column.to_pylist() for column in found.keys.columns), strict=True)
    return dict(zip(keys, zip(*columns, strict=True), strict=True))


@many(150)
@given(batches=batches, left=st.sets(owners))
def test_what_was_put_last_is_there(batches: list[dict[Key, tuple[int, float, float]]], left: set[Key]) -> None:
    """Of each entity; those whose sums are all 0 may be gone, unless they are needed."""
    held, there = Held(SCHEMA), dict[Key, tuple[Fraction, ...]]()
    for batch in batches:
        held.put(state(batch))
        there |= {key: tuple(map(Fraction, value)) for key, value in batch.items()}
        asked = sorted(there)
        assert exactly(held.of([*asked, (9, "nobody")])) == there
        assert held.of(asked).keys.to_pylist() == [{"user": user, "shop": shop} for user, shop in asked]
        if left:

            def needed(keys: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
                return np.array([tuple(row.values()) in left for row in keys.to_pylist()], bool)

            held.leave_out(needed)
            gone = {key for key, value in there.items() if not any(value) and key not in left}
            event(f"left out: {len(gone) > 0}")
            there = {key: value for key, value in there.items() if key not in gone}
            assert len(held) == len(there)
