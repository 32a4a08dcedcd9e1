"""Shards, texts, bounds and entities seen before."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.workers.sources.prepare import seen_before
from tests.workers.sources import world


@pytest.mark.parametrize("kind", ["int", "string"])
def test_shards_split_the_entities_evenly_and_each_is_sorted(tmp_path: Path, kind: str) -> None:
    users = [number * 1000 for number in range(2000)] * 3
    keys = users if kind == "int" else [f"user-{user}" for user in users]
    world.write(tmp_path, "events", {"user": keys, "ts": world.micros(*range(6000)), "n": list(range(6000))})
    specs = world.specs(world.source(event_timestamp="ts"), keys={"user": kind})
    result, _ = world.prepared(tmp_path, specs, ["n"], shards=4, threads=2, total_order=False)
    tables = [pq.read_table(shard) for shard in result.shards]
    assert tables[0].schema.names == ["user", "n", "__ts", "__known"]
    found = [set(table["user"].to_pylist()) for table in tables]
    assert set.union(*found) == set(keys)
    assert sum(map(len, found)) == 2000
    assert all(400 < len(each) < 600 for each in found)
    for table in tables:
        rows = list(zip(table["user"].to_pylist(), table["__ts"].to_pylist(), strict=True))
        assert rows == sorted(rows)
    assert sum(table.num_rows for table in tables) == result.rows_kept == 6000


def test_a_large_shard_is_written_in_order_under_little_memory(tmp_path: Path) -> None:
    count = 200_000
    names = pa.array([f"{(i * 7919) % count:08} {'x' * 100}" for i in range(count)])
    world.write(tmp_path, "events", {"user": names, "ts": world.micros(*range(count)), "text": names})
    specs = world.specs(world.source(event_timestamp="ts"), keys={"user": "string"})
    texts = world.texts("{text}")
    result, _ = world.prepared(
        tmp_path, specs, ["text"], shards=2, memory_limit="80MB", threads=2, texts=texts, total_order=False
    )
    for shard in result.shards:
        users = pq.read_table(shard, columns=["user"])["user"].to_pylist()
        assert users == sorted(users)
    assert pq.read_metadata(result.texts["text"]).num_rows == result.rows_kept == count
    assert not [path for path in (tmp_path / "stage").iterdir() if path.is_dir()]


def test_several_keys_strings_and_ties_sort_by_their_bytes_and_by_all_raw_columns(tmp_path: Path) -> None:
    a = ["é", "z", "Z", "😀", "\uffff", "z"]
    world.write(
        tmp_path,
        "events",
        {"a": a, "b": [1, 2, 1, 1, 1, 1], "ts": world.micros(*[5] * 6), "x": [None, 1.0, 2.0, 3.0, 4.0, 5.0]},
    )
    specs = world.specs(world.source(event_timestamp="ts"), keys={"a": "string", "b": "int"})
    _, rows = world.prepared(tmp_path, specs, ["x"])
    assert [(row["a"], row["b"]) for row in rows] == sorted(
        zip(a, [1, 2, 1, 1, 1, 1], strict=True), key=lambda k: (k[0].encode(), k[1])
    )


def test_ties_are_ordered_by_created_then_tie_break_then_raw_columns_nulls_first(tmp_path: Path) -> None:
    columns = {"made": world.micros(2, None, 2, 2, 2), "rank": [1, 9, 0, 0, 0], "b": [True, True, True, None, False]}
    world.write(tmp_path, "events", {"user": [1] * 5, "ts": world.micros(*[5] * 5), "n": list(range(5)), **columns})
    source = world.source(event_timestamp="ts", created_timestamp="made", tie_break=["rank"])
    _, rows = world.prepared(tmp_path, world.specs(source), ["n"])
    assert [row["n"] for row in rows] == [1, 3, 4, 2, 0]


def test_texts_are_collapsed_prefixed_and_known_by_their_digest(tmp_path: Path) -> None:
    columns = {
        "a": [" big\u3000\n red ", None, None, "big red"],
        "n": [1, 2, None, 1],
        "f": [0.5, 1e16, None, 0.5],
        "b": [True, False, None, True],
    }
    world.write(tmp_path, "events", {"user": [1] * 4, "ts": world.micros(0, 1, 2, 3), **columns})
    specs = world.specs(world.source(event_timestamp="ts"))
    result, rows = world.prepared(tmp_path, specs, texts=world.texts("{a}  {n} {f} {b}", "query: "))
    wanted = ["query: big red 1 0.5 true", "query: 2 1e+16 false", None, "query: big red 1 0.5 true"]
    digests = [None if text is None else hashlib.sha256(text.encode()).digest()[:16] for text in wanted]
    assert [row["text"] for row in rows] == digests
    written = {row["digest"]: row["text"] for row in pq.read_table(result.texts["text"]).to_pylist()}
    assert written == {digest: text for digest, text in zip(digests, wanted, strict=True) if text is not None}


def test_a_timestamp_in_a_text_is_iso_8601(tmp_path: Path) -> None:
    world.write(tmp_path, "events", {"user": [1], "ts": world.micros(1_500_000)})
    result, _ = world.prepared(
        tmp_path, world.specs(world.source(event_timestamp="ts")), texts=world.texts("at {event_timestamp}")
    )
    assert pq.read_table(result.texts["text"])["text"].to_pylist() == ["at 1970-01-01T00:00:01.500000+00:00"]


@pytest.mark.parametrize("rows", [0, 1])
def test_a_source_with_no_rows_gives_empty_shards_of_the_same_columns(tmp_path: Path, rows: int) -> None:
    ints = pa.array([1] * rows, pa.int64())
    world.write(tmp_path, "events", {"user": ints, "ts": world.micros(*[5] * rows), "n": ints})
    result, found = world.prepared(
        tmp_path, world.specs(world.source(event_timestamp="ts")), ["n"], shards=3, texts=world.texts("{n}")
    )
    assert [pq.read_schema(shard).names for shard in result.shards] == [["user", "n", "text", "__ts", "__known"]] * 3
    assert [str(pq.read_schema(shard).field("text").type) for shard in result.shards] == ["binary"] * 3
    assert len(found) == pq.read_metadata(result.texts["text"]).num_rows == rows


START = datetime(2024, 3, 30, tzinfo=UTC)
HOUR = 3_600_000_000


def stored(moments: list[int], how: str, zone: str) -> pa.Array:
    """Instants (µs) as a column of some kind: naive ones are local times of the zone."""
    aware = [datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment) for moment in moments]
    local = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in aware]
    kinds: dict[str, Any] = {
        "zoned": lambda: pa.array(aware, pa.timestamp("us", "UTC")),
        "nanos": lambda: pa.array(aware, pa.timestamp("ns", "UTC")),
        "naive nanos": lambda: pa.array(local, pa.timestamp("ns")),
        "naive": lambda: pa.array(local, pa.timestamp("ms")),
        "text": lambda: pa.array([moment.isoformat(" ") for moment in local]),
        "offset": lambda: pa.array([moment.isoformat() for moment in aware]),
    }
    return kinds[how]()


hours = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 72)), min_size=1, max_size=15)


@settings(deadline=None, max_examples=50)
@given(
    hours,
    st.sampled_from(["zoned", "nanos", "naive", "naive nanos", "text", "offset"]),
    st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Pacific/Kiritimati"]),
    st.tuples(st.integers(-2, 75), st.integers(-2, 75), st.integers(-2, 75)),
    st.sampled_from([None, "2h"]),
)
def test_bounds_leave_out_rows_that_are_not_needed_and_no_others(
    rows: list[tuple[int, int]], how: str, zone: str, bounds: tuple[int, int, int], lag: str | None
) -> None:
    base = int(START.timestamp()) * 1_000_000
    lower, after, until = (base + hour * HOUR for hour in bounds)
    moments = [base + hour * HOUR for _, hour in rows]
    with TemporaryDirectory() as folder:
        root = Path(folder)
        world.write(root, "events", {"user": [user for user, _ in rows], "t": stored(moments, how, zone)})
        source = world.source(event_timestamp="t", timezone=zone, **({"lag": lag} if lag else {}))
        request = world.request(root, world.specs(source), lower=lower, known_after=after, until=until)
        result, found = world.prepared(root, world.specs(source), lower=lower, known_after=after, until=until)
        keys = pa.table({"user": pa.array([3, 0, 7], pa.int64())})
        earlier = seen_before(request, keys, after)["user"].to_pylist()
    delay = 2 * HOUR if lag else 1
    wanted = [
        (u, t)
        for (u, _), t in zip(rows, moments, strict=True)
        if t + delay <= until and (t >= lower or t + delay > after)
    ]
    assert sorted((row["user"], row["__ts"]) for row in found) == sorted(wanted)
    assert result.rows_read == result.rows_kept == len(found)
    seen = {u for (u, _), t in zip(rows, moments, strict=True) if t < lower and t + delay <= after}
    assert sorted(earlier) == sorted(user for user in (3, 0, 7) if user in seen)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Two users; user 1 bought the same thing twice."""
    world.write(
        tmp_path,
        "events",
        {"user": [1, 1, 2], "ts": world.micros(10, 20, 30), "thing": ["a", "a", "a"], "x": [1.0, 2.0, float("inf")]},
    )
    return tmp_path


@pytest.mark.parametrize(
    ("clean", "lower", "before", "wanted"),
    [
        ({}, 25, 50, [1]), ({}, 40, 50, [1]), ({}, 40, 30, [1]), ({}, 10, 50, []), ({}, 40, 10, []),
        ({"drop": ["user = 1"]}, 40, 50, []),
        ({"drop_duplicates": ["thing"]}, 40, 50, [1]), ({"drop_duplicates": ["user", "thing"]}, 15, 50, [1]),
        ({"drop_duplicates": ["user", "event_timestamp"]}, 15, 50, [1]),
    ],
)  # fmt: skip
def test_an_entity_was_seen_if_a_clean_row_of_it_lies_before(
    shop: Path, clean: Any, lower: int, before: int, wanted: list[int]
) -> None:
    request = world.request(shop, world.specs(world.source(event_timestamp="ts", clean=clean)), ["x"], lower=lower)
    keys = pa.table({"user": pa.array([2, 1, 5], pa.int64())})
    assert seen_before(request, keys, before)["user"].to_pylist() == wanted
