"""Gaps, streaks, sequences and values by category at each place, whatever order rows come and go in."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.language import features as f
from limner.workers.windows import gaps, kinds, maps, sequences, spans, streaks
from limner.workers.windows.rows import Rows

DAY = 86_400_000_000
PLACES = 12  # of each entity


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Rows of two entities, in canonical order, each at any span of the entity's places."""
    found = []
    orderly = draw(st.booleans())
    for entity in (0, 1):
        some = draw(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["a", "b", "c", None])), max_size=9))
        for number, (day, category) in enumerate(sorted(some, key=lambda row: row[0])):
            first = number if orderly else draw(st.integers(0, PLACES - 1))
            last = first + 3 if orderly else draw(st.integers(first + 1, PLACES))
            base = entity * PLACES
            found.append((base + first, base + last, entity, day * DAY + draw(st.integers(0, 1)), category))
    found.sort(key=lambda row: (row[2], row[3]))
    first, last, entity, time = (np.array([row[n] for row in found], np.int64) for n in range(4))
    table = pa.table({"c": pa.array([row[4] for row in found], pa.string()), "n": pa.array(time // DAY)})
    return Rows(table, np.arange(len(found)), first, last, 2 * PLACES, entity, time, "UTC")


def there(found: Rows, place: int) -> list[int]:
    """The rows that count at a place."""
    return [n for n in range(len(found.index)) if found.first[n] <= place < found.last[n]]


@given(rows())
def test_a_gap_is_there_while_no_event_lies_within_it(found: Rows) -> None:
    """The gaps at each place are those between its instants, one after the other."""
    result = gaps.between(found)
    for place in range(found.places):
        instants = sorted({int(found.time[n]) for n in there(found, place)})
        at = (result.first <= place) & (place < result.last)
        assert result.length[at].tolist() == [b - a for a, b in pairwise(instants)]


@given(rows())
def test_a_run_is_there_while_its_days_are(found: Rows) -> None:
    """The runs at each place are its days cut wherever one is missing."""
    newest, length, first, last = streaks.runs(found, "day")
    for place in range(found.places):
        days = sorted({int(found.time[n]) // DAY for n in there(found, place)})
        ends = [day for day in days if day + 1 not in days]
        starts = [min(d for d in days if d > max((e for e in ends if e < end), default=-1)) for end in ends]
        at = np.flatnonzero((first <= place) & (place < last))
        at = at[np.argsort(newest[at])]
        assert length[at].tolist() == [end - start + 1 for start, end in zip(starts, ends, strict=True)]


DEFAULTS = st.sampled_from([None, ["a"], ["z", "b", "z"]])


@given(rows(), st.integers(1, 4), st.booleans(), DEFAULTS, st.sampled_from([1, 3, 1 << 20]))
def test_a_sequence_is_the_newest_rows_first(
    found: Rows, n: int, distinct: bool, default: list[str] | None, chunk: int
) -> None:
    """Whatever the rows that a place looks at, and however many are looked at at a time."""
    doc = {"sequence": n, "of": "c", "distinct": distinct, **({"default": default} if default else {})}
    feature = f.Sequence.model_validate(doc)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sequences, "_CHUNK", chunk)
        output = sequences.sequence(feature, found)
        values = output.take(np.arange(found.places)).to_pylist()
    for place in range(found.places):
        newest = [found.table["c"][row].as_py() for row in reversed(there(found, place))]
        newest = [value for value in newest if value is not None]
        expected = list(dict.fromkeys(newest)) if distinct else newest
        assert values[place] == (expected[:n] or default)
    check_state(output.state, values)


@given(rows(), st.sampled_from(["count", "sum", "mean"]), st.booleans(), st.sampled_from([1, 2, 1 << 21]))
def test_a_category_is_worth_what_its_rows_are(found: Rows, kind: str, listed: bool, chunk: int) -> None:
    """As a map or as a list, a few entries or all of them at a time."""
    doc = {kind: "n", "by": "c", **({"categories": ["b", "z", "a"], "other": True} if listed else {})}
    feature = next(each for each in f.KINDS if each.kind == kind).model_validate(doc)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maps, "_CHUNK", chunk)
        output = kinds.evaluate(feature, [found], None)
        values = output.take(np.arange(found.places)).to_pylist()
    worth = {"count": len, "sum": sum, "mean": lambda days: sum(days) / len(days)}[kind]
    for place in range(found.places):
        groups: dict[str, list[int]] = {}
        for row in there(found, place):
            category = found.table["c"][row].as_py()
            if category is not None:
                groups.setdefault(category, []).append(int(found.time[row]) // DAY)
        if listed:
            expected = [worth(groups[name]) if name in groups else 0 for name in ("b", "z", "a", "c")]
        else:
            expected = [(name, worth(groups[name])) for name in sorted(groups)]
        assert values[place] == expected
    check_state(output.state, values)


def check_state(state: np.ndarray, values: list[object]) -> None:
    """Neighbours within an entity differ in their state exactly where they differ."""
    for place in inner_places():
        assert (state[place] != state[place - 1]) == (values[place] != values[place - 1]), place


def inner_places() -> Iterator[int]:
    for entity in (0, 1):
        yield from range(entity * PLACES + 1, (entity + 1) * PLACES)


def test_ranges_are_written_out() -> None:
    """Empty ones leave nothing."""
    numbers, owner = spans.expand(np.array([5, 9, 0]), np.array([2, 0, 3]))
    assert numbers.tolist() == [5, 6, 0, 1, 2]
    assert owner.tolist() == [0, 0, 2, 2, 2]
