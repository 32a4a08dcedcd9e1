"""Sources in a real PostgreSQL."""

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from limner.language.errors import LimnerError
from limner.workers.sources.describe import describe
from limner.workers.sources.table import CHUNK
from tests.workers.sources import world

pytestmark = pytest.mark.integration

TABLE = """
CREATE SCHEMA "my shop";
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE TABLE "my shop"."Events" (
    "user" bigint, at timestamptz, local_at timestamp, made timestamptz, day date, price numeric(12, 2), weight real,
    ok boolean, tags text[], blob bytea, info jsonb, id uuid, feeling mood, "we""ird" text);
INSERT INTO "my shop"."Events" VALUES
    (1, '2026-03-29 01:30+00', '2026-03-29 02:30', NULL, '2026-01-01', 12.34, 0.5, true, '{a}', 'x', '{"a": 1}',
     '00000000-0000-0000-0000-000000000001', 'glad', 'it''s'),
    (2, '2026-03-30 12:00:00.123456+02', '2026-03-30 00:00', '2026-05-01', NULL, 'NaN', 'Infinity', NULL, NULL, NULL,
     NULL, NULL, NULL, NULL),
    (3, 'infinity', '-infinity', NULL, 'infinity', 1, 1, true, NULL, NULL, NULL, NULL, 'sad', NULL),
    (4, '0044-03-15 BC', NULL, NULL, NULL, 1, 1, true, NULL, NULL, NULL, NULL, 'sad', NULL),
    (NULL, '2026-03-30', NULL, NULL, NULL, 1, 1, true, NULL, NULL, NULL, NULL, 'sad', NULL);
"""
WANTED = ["price", "weight", "ok", "info", "id", "feeling", 'we"ird', "day"]


@pytest.fixture
def shop(postgres: str) -> str:
    """A database with one table of every kind of column."""
    engine = sa.create_engine(postgres.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql(TABLE)
    engine.dispose()
    return postgres


def source(url: str, **keys: Any) -> Any:
    written = {"database": url, "table": "my shop.Events", "event_timestamp": "at", **keys}
    return world.source(**written)


def test_columns_keep_their_types_and_values(tmp_path: Path, shop: str) -> None:
    assert describe(source(shop), tmp_path) == {
        "user": "int", "at": "timestamp", "local_at": "timestamp", "made": "timestamp", "day": "timestamp",
        "price": "float", "weight": "float", "ok": "bool", "info": "string", "id": "string", "feeling": "string",
        'we"ird': "string",
    }  # fmt: skip
    result, rows = world.prepared(tmp_path, world.specs(source(shop)), [name for name in WANTED if name != "weight"])
    first, second = rows
    assert (first["price"], first["ok"], first["info"], first["feeling"], first['we"ird']) == (
        12.34,
        True,
        '{"a": 1}',
        "glad",
        "it's",
    )
    assert (first["id"], first["day"].isoformat()) == (
        "00000000-0000-0000-0000-000000000001",
        "2026-01-01T00:00:00+00:00",
    )
    assert (second["price"], second["ok"], second["__ts"]) == (None, None, 1_774_864_800_123_456)
    assert result.quarantined == {"no user": 1, "no at": 2}


def test_an_infinity_of_a_column_in_use_is_quarantined(tmp_path: Path, shop: str) -> None:
    result, rows = world.prepared(tmp_path, world.specs(source(shop)), ["weight"])
    assert [row["user"] for row in rows] == [1]
    assert result.quarantined["weight is not finite"] == 1


def test_naive_times_are_read_in_the_zone_and_bounds_go_to_the_database(tmp_path: Path, shop: str) -> None:
    naive = source(shop, event_timestamp="local_at", created_timestamp="made", timezone="Europe/Paris")
    jump = 1_774_746_000_000_000  # 02:30 does not exist in Paris on that day: the clocks jump at 01:00 UTC
    _, rows = world.prepared(tmp_path, world.specs(naive), lower=jump, known_after=jump, until=jump + 1)
    assert [(row["user"], row["__ts"]) for row in rows] == [(1, jump)]
    month = 30 * world.DAY
    late = {"lower": jump + month, "known_after": jump + month, "until": jump + 2 * month}
    _, rows = world.prepared(tmp_path, world.specs(naive), **late)
    assert [row["user"] for row in rows] == [2]  # created in May: newly known, however old


def test_a_large_table_is_streamed_in_chunks(tmp_path: Path, shop: str) -> None:
    engine = sa.create_engine(shop.replace("postgresql://", "postgresql+psycopg://"))
    count = 2 * CHUNK + 7
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE many AS SELECT mod(n, 10) AS \"user\", timestamptz '2026-01-01Z' + n * interval '1 s' AS at, "
            f"n FROM generate_series(1, {count}) AS n"
        )
    engine.dispose()
    result, rows = world.prepared(tmp_path, world.specs(source(shop, table="many")), ["n"])
    assert result.rows_kept == count
    assert sorted(row["n"] for row in rows) == list(range(1, count + 1))


def test_a_missing_table_and_a_wrong_password_are_clear(tmp_path: Path, shop: str) -> None:
    with pytest.raises(LimnerError, match=r"has no table 'public.nothing'; its tables: "):
        describe(source(shop, table="public.nothing"), tmp_path)
    with pytest.raises(LimnerError, match=r"source 'events': cannot read postgresql\+psycopg://.*nobody"):
        describe(source(shop.replace("postgres:", "nobody:")), tmp_path)


MEETING = """
CREATE TABLE meeting AS SELECT * FROM (VALUES
    (1, timestamptz '2026-01-01Z', 5, 1.5::float8, 'buy', 'citext'::char(8), true, 1.5::real, 0.1::numeric),
    (2, timestamptz '2026-01-02Z', NULL, 'NaN', 'BUY', NULL, NULL, NULL, NULL),
    (3, timestamptz '2026-01-03Z', -1, -0.0, 'it''s %', 'a'::char(8), false, 0.1, 0.3),
    (4, timestamptz '2026-01-04Z', 7, 2, NULL, 'b'::char(8), true, 0.2, 2)) AS t("user", at, n, x, s, c, ok, r, d);
"""


WHERE: list[tuple[str, list[int], int]] = [
    ("n > 0", [1, 4], 2),
    ("not (n between 0 and 6) and x is not null", [3, 4], 2),
    ("n in (5, 7) or ok", [1, 4], 2),
    ("n is null", [2], 1),
    ("s = 'buy'", [1], 1),
    ("s <> 'buy' and ok is null", [2], 1),
    ("s not in ('buy', 'BUY')", [3], 1),
    ("5 <= n and not ok = false", [1, 4], 2),
    ("x > 1", [1, 4], 3),  # there NaN is the greatest number
    ("x is null", [2], 4),
    ("x / 2 > 0.5 and n = 7", [4], 1),
    ("r = 0.1 or d = 0.1", [1, 3], 4),
    ("c = 'a       '", [3], 4),
    ("s like 'it''s %' or s ilike 'buy'", [1, 2, 3], 4),
    ("event_timestamp between '2026-01-02' and '2026-01-03T00:00:00Z'", [2, 3], 2),
    ("n > 4.5", [1, 4], 4),
    ("ok and at < '2026-01-02'", [1], 1),
]


def test_rows_that_cannot_meet_the_condition_do_not_cross_the_wire(
    tmp_path: Path, shop: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is sent, the answer is that of the condition itself."""
    engine = sa.create_engine(shop.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql(MEETING.replace("%", "%%"))
    engine.dispose()
    monkeypatch.setattr("shutil.rmtree", lambda *_, **__: None)  # keep what was staged
    for where, users, crossed in WHERE:
        for key, rename in (("user", {}), ("who", {"who": "user", "count": "n"})):
            condition = re.sub(r"\bn\b", "count", where) if rename else where
            spec = source(shop, table="meeting", where=condition, rename=rename)
            result, rows = world.prepared(tmp_path, world.specs(spec, keys={key: "int"}))
            assert [row[key] for row in rows] == users, condition
            assert result.rows_read == len(users), condition
            staged = max(tmp_path.rglob("table-*.parquet"), key=lambda path: path.stat().st_mtime_ns)
            assert pq.read_metadata(staged).num_rows == crossed, condition
