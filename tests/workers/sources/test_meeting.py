"""`rename` and `where` at the source: before everything else, and exact in every format."""

import json
import sqlite3
from collections.abc import Callable
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from limner.language.errors import LimnerError
from limner.workers.sources.describe import describe
from limner.workers.sources.prepare import seen_before
from tests.workers.sources import world

ROWS: list[dict[str, Any]] = [
    {"user": 1, "ts": "2026-01-01T00:00:00Z", "n": 5, "x": 1.5, "s": "buy"},
    {"user": 2, "ts": "2026-01-02T00:00:00Z", "n": None, "x": float("nan"), "s": "buy"},
    {"user": 3, "ts": "2026-01-03T00:00:00Z", "n": -1, "x": float("inf"), "s": "look"},
    {"user": 4, "ts": None, "n": 7, "x": -2.0, "s": "look"},
    {"user": None, "ts": "2026-01-05T00:00:00Z", "n": 7, "x": 2.0, "s": None},
]
CAST = {"user": "int", "n": "int", "x": "float"}


def parquet(root: Path) -> dict[str, Any]:
    world.write(root, "events", {name: [row[name] for row in ROWS] for name in ROWS[0]})
    return {"path": "events.parquet"}


def csv(root: Path) -> dict[str, Any]:
    lines = [",".join("" if value is None else str(value) for value in row.values()) for row in ROWS]
    (root / "events.csv").write_text("\n".join([",".join(ROWS[0]), *lines]) + "\n")
    return {"path": "events.csv", "clean": {"cast": CAST}}


def json_lines(root: Path) -> dict[str, Any]:
    rows = [{name: str(value) if isinstance(value, float) else value for name, value in row.items()} for row in ROWS]
    (root / "events.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return {"path": "events.jsonl", "clean": {"cast": CAST}}


def sqlite(root: Path) -> dict[str, Any]:
    with sqlite3.connect(root / "events.db") as database:
        database.execute("CREATE TABLE events (user INTEGER, ts TIMESTAMP, n INTEGER, x REAL, s TEXT)")
        rows = [tuple(str(v) if isinstance(v, float) and isnan(v) else v for v in row.values()) for row in ROWS]
        database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", rows)
    database.close()
    return {"database": "sqlite:///events.db", "table": "events"}


@pytest.mark.parametrize("store", [parquet, csv, json_lines, sqlite])
@pytest.mark.parametrize(
    ("where", "users", "reasons"),
    [
        ("n > 0", [1], {"no ts": 1, "no user": 1}),
        ("n is null", [2], {}),
        ("x is null or x < 2", [1, 2], {"no ts": 1}),
        ("x > 1", [1], {"x is not finite": 1, "no user": 1}),
        ("s = 'buy' and event_timestamp < '2026-01-02'", [1], {}),
        ("not (s <> 'buy')", [1, 2], {}),
        ("ts is null or n / 0 is not null", [], {"no ts": 1}),
    ],
)
def test_only_rows_that_meet_it_are_read(
    tmp_path: Path, store: Callable[[Path], dict[str, Any]], where: str, users: list[int], reasons: dict[str, int]
) -> None:
    source = world.source(event_timestamp="ts", where=where, **store(tmp_path))
    result, rows = world.prepared(tmp_path, world.specs(source))
    assert [row["user"] for row in rows] == users
    assert (result.quarantined, result.dropped) == (reasons, {})
    assert result.rows_read == len(users) + sum(reasons.values())


def test_a_row_that_cannot_be_told_goes_to_quarantine(tmp_path: Path) -> None:
    (tmp_path / "e.csv").write_text("user,ts,kind,n\n1,2026-01-01,a,many\n2,2026-01-01,b,many\n3,2026-01-01,a,3\n")
    clean = {"cast": {"user": "int", "n": "int"}}
    source = world.source(path="e.csv", event_timestamp="ts", where="kind = 'a' and n > 1", clean=clean)
    result, rows = world.prepared(tmp_path, world.specs(source))
    assert [row["user"] for row in rows] == [3]
    assert (result.quarantined, result.rows_read) == ({"cannot read n as int": 1}, 2)


@pytest.mark.parametrize("store", [parquet, csv, json_lines, sqlite])
def test_every_other_key_uses_the_new_names(tmp_path: Path, store: Callable[[Path], dict[str, Any]]) -> None:
    keys = store(tmp_path)
    clean = {"missing": {"n": {"fill": 0}}, "drop": ["amount = 5"]}
    cast = {"cast": {"who": "int", "amount": "int", "n": "float"}} if "clean" in keys else {}
    names = {"who": "user", "at": "ts", "amount": "n", "n": "x"}
    source = world.source(
        **{**keys, "rename": names, "event_timestamp": "at", "where": "amount < 6", "clean": {**clean, **cast}}
    )
    assert describe(source, tmp_path).keys() == {"who", "at", "amount", "n", "s"}
    specs = world.specs(source, keys={"who": "int"})
    result, rows = world.prepared(tmp_path, specs, ["n"], known_after=0)
    assert (rows, result.dropped) == ([], {"amount = 5": 1})
    assert result.quarantined == {"n is not finite": 1}
    assert set(world.quarantined(result)[0]) == {"source", "reason", "who", "at", "amount", "n", "s"}


def test_a_new_name_that_is_taken_is_an_error(tmp_path: Path) -> None:
    source = world.source(event_timestamp="ts", rename={"s": "n"}, **parquet(tmp_path))
    with pytest.raises(LimnerError, match="rename makes 'n' 's', and there is a column of that name: rename that one"):
        describe(source, tmp_path)


def test_entities_seen_before_are_those_of_rows_that_are_read(tmp_path: Path) -> None:
    world.write(tmp_path, "events", {"user": [1, 2], "ts": world.micros(10, 20), "n": [1, 2]})
    source = world.source(event_timestamp="ts", where="n > 1")
    request = world.request(tmp_path, world.specs(source), lower=40)
    keys = world.pa.table({"user": world.pa.array([1, 2], world.pa.int64())})
    assert seen_before(request, keys, 50)["user"].to_pylist() == [2]
