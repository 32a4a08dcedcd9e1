"""Rows that an identity map gives to entities: from when on, until when, and in which runs."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from limner.language.errors import LimnerError
from limner.workers.sources.inputs import input_fingerprint
from limner.workers.sources.prepare import seen_before
from tests.workers.sources import world

Link = tuple[str | None, int | None, int, int | None]  # device, user, linked, entered


def write(root: Path, links: list[Link], events: list[tuple[str | None, int]]) -> None:
    world.write(root, "events", {"device": [d for d, _ in events], "ts": world.micros(*[t for _, t in events])})
    device, user, linked, entered = zip(*links, strict=True)
    world.write(
        root,
        "links",
        {
            "id": pa.array(device, pa.string()),
            "user": pa.array(user, pa.int64()),
            "linked": world.micros(*linked),
            "entered": pa.array(entered, pa.timestamp("us", "UTC")),
        },
    )


def specs(**keys: Any) -> Any:
    events = world.source(event_timestamp="ts", identity={"links": {"device": "id"}}, **keys)
    return world.specs(events, world.source("links", event_timestamp="linked", created_timestamp="entered"))


def staged(root: Path, **keys: Any) -> list[tuple[Any, ...]]:
    """(user, ts, known, until) of each staged row."""
    _, rows = world.prepared(root, specs(), **keys)
    return [(row["user"], row["__ts"], row["__known"], row["__until"]) for row in rows]


def test_a_row_joins_when_row_and_link_are_known_and_moves_when_a_newer_link_is(tmp_path: Path) -> None:
    write(tmp_path, [("a", 1, 10, None), ("a", 2, 20, 50)], [("a", 5), ("a", 30), ("a", 60)])
    assert staged(tmp_path) == [(1, 5, 11, 50), (1, 30, 31, 50), (2, 5, 50, None), (2, 30, 50, None), (2, 60, 61, None)]


def test_the_newest_link_is_by_its_own_time_not_by_its_arrival(tmp_path: Path) -> None:
    write(tmp_path, [("a", 1, 20, 25), ("a", 2, 10, 40), ("a", 2, 20, 60)], [("a", 1)])
    assert staged(tmp_path) == [(1, 1, 25, 60), (2, 1, 60, None)]


def test_links_that_become_known_together_are_one_step_and_equal_ones_no_step(tmp_path: Path) -> None:
    write(tmp_path, [("a", 1, 10, 30), ("a", 2, 11, 30), ("a", 2, 40, 45), ("a", 1, 50, None)], [("a", 1)])
    assert staged(tmp_path) == [(1, 1, 51, None), (2, 1, 30, 51)]


def test_an_id_may_come_back_and_may_be_nobodys(tmp_path: Path) -> None:
    links: list[Link] = [("a", 1, 10, None), ("a", None, 20, None), ("a", 1, 30, None), ("a", 2, 40, None)]
    write(tmp_path, links, [("a", 1), ("a", 25), ("b", 5), (None, 6)])
    assert staged(tmp_path) == [(1, 1, 11, 21), (1, 1, 31, 41), (1, 25, 31, 41), (2, 1, 41, None), (2, 25, 41, None)]


def test_rows_that_are_nobodys_are_counted(tmp_path: Path) -> None:
    write(tmp_path, [("a", 1, 10, None), (None, 2, 20, None), ("c", None, 5, None)], [("a", 1), ("b", 2), ("c", 9)])
    result, rows = world.prepared(tmp_path, specs())
    assert [row["user"] for row in rows] == [1]
    assert result.unmatched == {"links": 2}
    assert result.quarantined == {"identity links: no id": 1}
    assert world.prepared(tmp_path, specs(), until=10)[0].unmatched == {"links": 3}


def test_a_link_known_since_the_last_run_brings_rows_however_old(tmp_path: Path) -> None:
    write(tmp_path, [("a", 1, 10, None), ("b", 1, 10, None), ("a", 2, 95, None)], [("a", 1), ("b", 2), ("b", 89)])
    bounds = {"lower": 80, "known_after": 90, "until": 100}
    wanted = [(1, 1, 11, 96), (1, 89, 90, None), (2, 1, 96, None)]
    assert staged(tmp_path, **bounds) == wanted
    twins = specs(clean={"drop_duplicates": ["device"]})
    _, rows = world.prepared(tmp_path, twins, **bounds)  # of the rows of b the first stays, which is out of reach
    assert [(row["user"], row["__ts"]) for row in rows] == [(1, 1), (2, 1)]
    assert staged(tmp_path, **{**bounds, "until": 95}) == [(1, 89, 90, None)]


@pytest.mark.parametrize("clean", [{}, {"drop_duplicates": ["device", "event_timestamp"]}])
def test_an_entity_was_seen_if_a_row_was_its_own_before(tmp_path: Path, clean: Any) -> None:
    links: list[Link] = [("a", 1, 10, None), ("a", 2, 20, None), ("b", 3, 99, None), ("c", 4, 10, None)]
    write(tmp_path, links, [("a", 1), ("b", 2), ("c", 60), ("c", 30)])
    keys = pa.table({"user": pa.array([4, 3, 2, 1, 9], pa.int64())})
    request = world.request(tmp_path, specs(clean=clean), lower=50)
    assert seen_before(request, keys, 40)["user"].to_pylist() == [4, 2, 1]
    assert seen_before(request, keys, 15)["user"].to_pylist() == [1]


def test_a_composite_key_may_come_from_both_and_shards_are_by_the_whole_key(tmp_path: Path) -> None:
    count = 300
    devices = [f"d{n}" for n in range(count)]
    world.write(
        tmp_path, "events", {"device": devices, "shop": ["x", "y", None] * 100, "ts": world.micros(*range(count))}
    )
    world.write(
        tmp_path, "links", {"device": devices, "user": [n // 2 for n in range(count)], "at": world.micros(*[0] * count)}
    )
    events = world.source(event_timestamp="ts", identity={"links": "device"})
    all_specs = world.specs(events, world.source("links", event_timestamp="at"), keys={"user": "int", "shop": "string"})
    result, rows = world.prepared(tmp_path, all_specs, ["device"], shards=3)
    assert len(rows) == result.rows_kept == 200
    assert result.quarantined == {"no shop": 100}
    assert {(row["user"], row["device"]) for row in rows} == {(n // 2, f"d{n}") for n in range(count) if n % 3 != 2}


def test_lookups_see_a_row_as_it_became_known(tmp_path: Path) -> None:
    write(tmp_path, [("a", 1, 10, None), ("a", 2, 20, None)], [("a", 5)])
    world.write(
        tmp_path, "things", {"device": ["a", "a"], "at": world.micros(1, 1), "made": world.micros(2, 15), "n": [1, 2]}
    )
    events = world.source(event_timestamp="ts", identity={"links": {"device": "id"}}, lookup={"things": "device"})
    things = world.source("things", event_timestamp="at", created_timestamp="made")
    all_specs = world.specs(events, world.source("links", event_timestamp="linked"), things)
    _, rows = world.prepared(tmp_path, all_specs, ["n"])
    assert [(row["user"], row["n"]) for row in rows] == [(1, 1), (2, 1)]


def test_the_map_is_among_the_inputs_and_must_name_the_key(tmp_path: Path) -> None:
    write(tmp_path, [("a", 1, 10, None)], [("a", 5)])
    before = input_fingerprint(specs(), "events", tmp_path)
    write(tmp_path, [("a", 1, 10, None), ("a", 1, 10, None)], [("a", 5)])
    assert before != input_fingerprint(specs(), "events", tmp_path)
    with pytest.raises(LimnerError, match=r"no column 'shopper', the join key; it has: .*; nor has its identity map"):
        world.prepared(tmp_path, world.specs(*specs().sources.values(), keys={"shopper": "int"}))
