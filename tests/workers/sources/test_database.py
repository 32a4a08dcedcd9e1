"""SQL tables as sources, with SQLite; PostgreSQL has its integration tests."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from limner.language.errors import LimnerError
from limner.workers.sources.describe import describe
from limner.workers.sources.inputs import input_fingerprint
from limner.workers.sources.prepare import seen_before
from tests.workers.sources import world

SCHEMA = "user INTEGER, ts TIMESTAMP, amount REAL, note TEXT, ok BOOLEAN, day DATE, price NUMERIC(9, 2), odd, raw BLOB"
ROWS: list[tuple[Any, ...]] = [
    (1, "2026-03-29 02:30:00", 0.1 + 0.2, "it's", 1, "2026-01-01", 1.5, "x", b"a"),
    (2, "2026-03-29T02:30:00+00:00", 1e300, None, 0, None, None, 7, None),
    (3, "not a time", None, "", None, None, 2, None, None),
    ("four", "2026-03-30", "many", "n", 1, None, 3, None, None),
    (5, None, 1, "n", 1, None, 3, None, None),
]


@pytest.fixture
def source(tmp_path: Path) -> Any:
    with sqlite3.connect(tmp_path / "my shop.db") as database:
        database.execute(f"CREATE TABLE events ({SCHEMA})")
        database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", ROWS)
        database.execute("CREATE VIEW nice AS SELECT * FROM events WHERE user < 3")
    database.close()
    return world.source(database="sqlite:///my shop.db", table="events", event_timestamp="ts", timezone="Europe/Paris")


def test_a_table_is_described_and_read_with_its_values_exact(tmp_path: Path, source: Any) -> None:
    assert describe(source, tmp_path) == {
        "user": "int", "ts": "timestamp", "amount": "float", "note": "string", "ok": "bool", "day": "timestamp",
        "price": "float", "odd": "string",
    }  # fmt: skip
    result, rows = world.prepared(tmp_path, world.specs(source), ["amount", "note", "ok", "price", "day", "odd"])
    assert [(row["user"], row["amount"], row["note"], row["ok"], row["price"], row["odd"]) for row in rows] == [
        (1, 0.1 + 0.2, "it's", True, 1.5, "x"),
        (2, 1e300, None, False, None, "7"),
    ]
    assert [row["__ts"] for row in rows] == [1_774_746_000_000_000, 1_774_751_400_000_000]
    assert rows[0]["day"].isoformat() == "2025-12-31T23:00:00+00:00"
    assert result.quarantined == {"cannot read amount as float": 1, "cannot read ts as timestamp": 1, "no ts": 1}
    assert {row["user"] for row in world.quarantined(result)} == {"3", "four", "5"}


def test_bounds_go_to_the_database_and_lose_nothing(tmp_path: Path, source: Any) -> None:
    start = 1_774_746_000_000_000
    result, rows = world.prepared(tmp_path, world.specs(source), lower=start, known_after=start + 1, until=start + 1)
    assert [row["user"] for row in rows] == [1]
    later = {"lower": start + 30 * world.DAY, "known_after": start + 30 * world.DAY, "until": start + 60 * world.DAY}
    result, rows = world.prepared(tmp_path, world.specs(source), **later)
    assert (rows, result.quarantined) == ([], {"no ts": 1, "cannot read ts as timestamp": 1})
    keys = world.pa.table({"user": world.pa.array([1, 9], world.pa.int64())})
    asked = world.request(tmp_path, world.specs(source), **later)
    assert seen_before(asked, keys, start + 30 * world.DAY)["user"].to_pylist() == [1]


def test_views_and_dimensions_may_be_tables_too(tmp_path: Path, source: Any) -> None:
    world.write(tmp_path, "visits", {"user": [2, 1], "ts": world.micros(1, 2)})
    nice = world.source("nice", database="sqlite:///my shop.db", table="nice")
    specs = world.specs(world.source("visits", event_timestamp="ts", lookup={"nice": "user"}), nice)
    _, rows = world.prepared(tmp_path, specs, ["note"])
    assert [(row["user"], row["note"]) for row in rows] == [(1, "it's"), (2, None)]
    assert input_fingerprint(specs, "visits", tmp_path) is None


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"database": "sqlite:///gone.db"}, r"source 'events': there is no SQLite file .*gone.db: correct `database`"),
        ({"table": "evnets"}, r"source 'events': sqlite:///.* has no table 'evnets'; its tables: events, nice"),
        ({"database": "${SHOP_URL}"}, r"`database` needs the environment variable SHOP_URL: set it"),
        ({"database": "what is this"}, r"source 'events': 'what is this' is not a database URL: write e.g."),
        ({"database": "oracle://h/x"}, r"source 'events': no driver for oracle://h/x: "),
        ({"database": "nosuch://h/x"}, r"source 'events': no driver for nosuch://h/x: "),
    ],
)
def test_a_database_that_cannot_be_used_is_named_with_what_to_do(
    tmp_path: Path, source: Any, keys: Any, message: str
) -> None:
    (tmp_path / "gone.txt").touch()
    with pytest.raises(LimnerError, match=message):
        describe(source.model_copy(update=keys), tmp_path)
    assert not (tmp_path / "gone.db").exists()


def test_the_url_may_come_from_the_environment_and_its_password_is_never_shown(
    tmp_path: Path, source: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP", "my shop.db")
    assert "user" in describe(source.model_copy(update={"database": "sqlite:///${SHOP}"}), tmp_path)
    monkeypatch.setenv("PASSWORD", "hunter2")
    remote = source.model_copy(update={"database": "postgresql://ann:${PASSWORD}@127.0.0.1:1/shop?connect_timeout=2"})
    with pytest.raises(LimnerError) as caught:
        describe(remote, tmp_path)
    assert "ann:***@127.0.0.1:1/shop" in str(caught.value)
    assert "hunter2" not in str(caught.value)
