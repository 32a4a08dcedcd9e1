"""Lookups: a dimension's rows as they were when the row became known."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.language.errors import LimnerError
from tests.workers.sources import world


def events(root: Path, **columns: Any) -> None:
    count = len(next(iter(columns.values())))
    world.write(root, "events", {"user": [1] * count, "ts": world.micros(*range(10, 10 + count)), **columns})


def test_a_row_without_a_match_stays_and_is_counted(tmp_path: Path) -> None:
    events(tmp_path, item=[1, 2, None, 9], price=[0.5, 1.0, 1.5, 2.0])
    world.write(tmp_path, "items", {"item": [1, 2, None], "name": ["one", None, "nothing"], "price": [7, 8, 9]})
    source = world.source(event_timestamp="ts", lookup={"items": "item"})
    result, rows = world.prepared(tmp_path, world.specs(source, world.source("items")), ["name", "price"])
    assert [(row["name"], row["price"]) for row in rows] == [("one", 0.5), (None, 1.0), (None, 1.5), (None, 2.0)]
    assert result.unmatched == {"items": 2}
    assert result.quarantined == {"lookup items: no item": 1}
    assert (result.rows_read, result.rows_kept) == (4, 4)


def test_of_rows_with_the_same_key_the_first_wins_and_the_others_are_quarantined(tmp_path: Path) -> None:
    events(tmp_path, a=["x", "y"], b=[1, 1])
    world.write(tmp_path, "items", {"p": ["x", "x", "y", "x"], "q": [1, 1, 1, 2], "name": ["b", "a", "c", "d"]})
    source = world.source(event_timestamp="ts", lookup={"items": {"a": "p", "b": "q"}})
    result, rows = world.prepared(tmp_path, world.specs(source, world.source("items")), ["name"])
    assert [row["name"] for row in rows] == ["a", "c"]
    assert result.quarantined == {"lookup items: another row has the same p, q": 1}
    assert [(row["source"], row["name"]) for row in world.quarantined(result)] == [("items", "b")]


def test_the_dimension_is_cleaned_by_its_own_rules(tmp_path: Path) -> None:
    events(tmp_path, item=[1, 2, 3])
    world.write(tmp_path, "items", {"item": ["1", "2", "x"], "name": [" One ", "two", "y"], "weight": [1, -1, 1]})
    items = world.source(
        "items", clean={"cast": {"item": "int"}, "text": {"name": {"case": "lower"}}, "drop": ["weight < 0"]}
    )
    source = world.source(event_timestamp="ts", lookup={"items": "item"})
    result, rows = world.prepared(tmp_path, world.specs(source, items), ["name"])
    assert [row["name"] for row in rows] == ["one", None, None]
    assert result.quarantined == {"lookup items: cannot read item as int": 1}
    assert result.dropped == {"lookup items: weight < 0": 1}


def test_several_lookups_bring_their_columns_and_texts_may_mix_them(tmp_path: Path) -> None:
    events(tmp_path, item=[1], shop=["s"], note=["n"])
    world.write(tmp_path, "items", {"item": [1], "name": ["soup"]})
    world.write(tmp_path, "shops", {"shop": ["s"], "city": ["Nice"], "event_timestamp": [0]})
    source = world.source(event_timestamp="ts", lookup={"items": "item", "shops": "shop"})
    specs = world.specs(source, world.source("items"), world.source("shops"))
    result, rows = world.prepared(tmp_path, specs, ["city"], texts=world.texts("{name} in {city}: {note}"))
    assert rows[0]["city"] == "Nice"
    assert world.pq.read_table(result.texts["text"])["text"].to_pylist() == ["soup in Nice: n"]


def test_a_column_that_nobody_has_is_a_clear_error(tmp_path: Path) -> None:
    events(tmp_path, item=[1])
    with pytest.raises(
        LimnerError, match=r"source 'events' and its lookups have no column 'nmae'; there are: event_timestamp, item"
    ):
        world.prepared(tmp_path, world.specs(world.source(event_timestamp="ts")), ["nmae"])


moment = st.integers(0, 12)
versions = st.lists(st.tuples(st.integers(0, 1), moment, st.one_of(st.none(), moment), st.integers(0, 2)), max_size=10)
visits = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(0, 1)), moment, st.one_of(st.none(), moment)), min_size=1, max_size=10
)


@settings(deadline=None, max_examples=40)
@given(visits, versions, st.booleans(), st.booleans())
def test_a_row_sees_the_newest_dimension_row_that_was_known_when_it_became_known(
    rows: list[tuple[Any, ...]], dimension: list[tuple[Any, ...]], made: bool, tied: bool
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        int64 = world.pa.int64()
        world.write(root, "events", {
            "user": list(range(len(rows))), "item": world.pa.array([row[0] for row in rows], int64),
            "ts": world.micros(*(row[1] for row in rows)), "made": world.micros(*(row[2] for row in rows)),
        })  # fmt: skip
        world.write(root, "items", {
            "item": world.pa.array([row[0] for row in dimension], int64),
            "at": world.micros(*(row[1] for row in dimension)), "made": world.micros(*(row[2] for row in dimension)),
            "v": world.pa.array([row[3] for row in dimension], int64),
        })  # fmt: skip
        created = {"created_timestamp": "made"} if made else {}
        source = world.source(event_timestamp="ts", lookup={"items": "item"}, **created)
        items = world.source("items", event_timestamp="at", tie_break=["v"] if tied else [], **created)
        _, found = world.prepared(root, world.specs(source, items), ["v"])
    for row in found:
        item, ts, row_made = rows[row["user"]]
        known = max(ts + 1, (row_made or 0) if made else 0)
        seen = [d for d in dimension if d[0] == item and d[1] <= ts and (not made or d[2] is None or d[2] <= known)]
        # canonical order: ts, created (null first), tie_break, then at, item, made and v by name
        seen.sort(
            key=lambda d: (
                d[1],
                (d[2] is not None, d[2] or 0) if made else 0,
                d[3] if tied else 0,
                d[2] is not None,
                d[2] or 0,
                d[3],
            )
        )
        assert row["v"] == (seen[-1][3] if seen else None)
    assert len(found) == len(rows)
