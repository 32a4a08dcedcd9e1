"""Files of other formats beside JSON Lines: read as if their rows were lines."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.language.errors import LimnerError
from limner.workers.costs.rows import count_rows
from limner.workers.sources.describe import describe
from limner.workers.sources.files import found
from tests.oracle.profiles import many
from tests.workers.sources import world

FOLLOWED = {"event_timestamp": "ts", "created_timestamp": "received", "stream": {"id": "id", "lateness": "1d"}}
CAST = {"cast": {"user": "int"}}


def source(*paths: str, **keys: Any) -> Any:
    return world.source(path=list(paths), **{**FOLLOWED, "clean": CAST, **keys})


def put(path: Path, columns: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(dict(columns)), path)


def lines(path: Path, *rows: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_rows_of_all_formats_are_rows_of_one_source(tmp_path: Path) -> None:
    put(tmp_path / "old/a.parquet", {"user": [1], "ts": world.micros(1), "n": pa.array([1.5])})
    (tmp_path / "old/b.csv").write_text("user,ts,n,page\n2,2026-01-02,2.50,home\n")
    lines(tmp_path / "new/c.jsonl", {"user": 3, "ts": "2026-01-03", "n": 3.50, "received": "2026-01-04"})
    spec = source("old/*.parquet", "old/b.csv", "new/*.jsonl")
    assert describe(spec, tmp_path) == dict.fromkeys(["user", "ts", "n", "page", "received"], "string")
    _, rows = world.prepared(tmp_path, world.specs(spec), ["n", "page"])
    assert [(row["user"], row["n"], row["page"]) for row in rows] == [
        (1, "1.5", None), (2, "2.50", "home"), (3, "3.5", None),
    ]  # fmt: skip
    counted = count_rows(spec, tmp_path)
    assert (counted.value, counted.about) == (3, False)


@pytest.mark.parametrize("there", ["a.parquet", "a.csv"])
def test_lines_may_be_still_to_come(tmp_path: Path, there: str) -> None:
    """The other files tell the columns, `cast` and `rename` more of them."""
    put(tmp_path / "a.parquet", {"user": [1], "ts": world.micros(1)})
    (tmp_path / "a.csv").write_text("user,ts\n1,1970-01-01T00:00:00.000001Z\n")
    spec = source(there, "new/*.jsonl", clean={"cast": {"user": "int", "n": "int"}})
    assert describe(spec, tmp_path) == dict.fromkeys(["user", "ts", "n", "received"], "string")
    _, rows = world.prepared(tmp_path, world.specs(spec), ["n"])
    assert [(row["user"], row["n"]) for row in rows] == [(1, None)]
    with pytest.raises(LimnerError, match=r"nothing is at .*gone\.parquet.*\(it is relative to .*\)$"):
        describe(source("gone.parquet", "new/*.jsonl"), tmp_path)
    for mistaken in ("old/a.jsonl", "old/*.jsonl"):
        with pytest.raises(LimnerError, match=r"nothing is at .*old.*\(it is relative to .*\)$"):
            describe(source(there, "new/*.jsonl", mistaken), tmp_path)
    with pytest.raises(LimnerError, match=r"nothing is at .*\*\.jsonl.*to begin with events alone"):
        describe(source("new/*.jsonl"), tmp_path)


def test_a_folder_of_parquet_and_folders_that_say_something(tmp_path: Path) -> None:
    """Also where its name ends as that of a file, as Spark writes them."""
    put(tmp_path / "old.parquet/kind=x/part-0.parquet", {"user": [1], "ts": world.micros(1)})
    put(tmp_path / "old.parquet/kind=y/part-0.parquet", {"user": [2], "ts": world.micros(2)})
    lines(tmp_path / "new/c.jsonl", {"user": 3, "ts": "2026-01-03", "kind": "z"})
    _, rows = world.prepared(tmp_path, world.specs(source("old.parquet", "new/*.jsonl")), ["kind"])
    assert [(row["user"], row["kind"]) for row in rows] == [(1, "x"), (2, "y"), (3, None)]


def test_what_specs_cannot_name_of_parquet_is_json_and_bytes_are_left_out(tmp_path: Path) -> None:
    nested = {"list": [[1, 2]], "struct": [{"a": "x", "b": None}], "bytes": [b"\x00"], "none": pa.nulls(1)}
    put(tmp_path / "a.parquet", {"user": [1], "ts": world.micros(1), **nested})
    spec = source("a.parquet", "new/*.jsonl")
    assert list(describe(spec, tmp_path)) == ["user", "ts", "list", "struct", "none", "received"]
    _, rows = world.prepared(tmp_path, world.specs(spec), ["list", "struct", "none"])
    assert (rows[0]["list"], rows[0]["struct"], rows[0]["none"]) == ("[1,2]", '{"a":"x","b":null}', None)


def test_columns_have_one_spelling(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", {"User": [1], "ts": world.micros(1)})
    lines(tmp_path / "new/c.jsonl", {"user": 3, "ts": "2026-01-03"})
    with pytest.raises(LimnerError, match="some files have the column 'User', some 'user': use one spelling"):
        describe(source("a.parquet", "new/*.jsonl"), tmp_path)


def test_a_line_that_is_none_is_named(tmp_path: Path) -> None:
    put(tmp_path / "a.parquet", {"user": [1], "ts": world.micros(1)})
    lines(tmp_path / "new/c.jsonl", {"user": 3, "ts": "2026-01-03"})
    with (tmp_path / "new/c.jsonl").open("a") as file:
        file.write("oops\n")
    with pytest.raises(LimnerError, match=r"c\.jsonl:2 is not a line of JSON Lines"):
        world.prepared(tmp_path, world.specs(source("a.parquet", "new/*.jsonl")))


def test_a_source_without_a_stream_has_one_format(tmp_path: Path) -> None:
    put(tmp_path / "d/a.parquet", {"user": [1], "ts": world.micros(1)})
    lines(tmp_path / "d/c.jsonl", {"user": 3, "ts": "2026-01-03"})
    with pytest.raises(LimnerError, match="Parquet, CSV or JSON Lines"):
        found(world.source(path="d/*"), tmp_path)


instants = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
COLUMNS: dict[str, tuple[pa.DataType, str, st.SearchStrategy[Any]]] = {
    "i8": (pa.int8(), "int", st.integers(-128, 127)),
    "i64": (pa.int64(), "int", st.integers(-(2**63), 2**63 - 1)),
    "u64": (pa.uint64(), "int", st.integers(0, 2**64 - 1)),
    "whole": (pa.float64(), "int", st.floats(-1e16, 1e16).map(round).map(float) | st.floats(allow_nan=False)),
    "f32": (pa.float32(), "float", st.floats(width=32)),
    "f64": (pa.float64(), "float", st.floats()),
    "half": (pa.decimal128(9, 1), "float", st.integers(-(10**7), 10**7).map(lambda n: Decimal(n) / 2)),
    "flag": (pa.bool_(), "bool", st.booleans()),
    "bit": (pa.int32(), "bool", st.integers(-1, 2)),
    "text": (pa.string(), "string", st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))),
    "word": (pa.dictionary(pa.int8(), pa.string()), "string", st.sampled_from(["a", "ß", ""])),
    "number": (pa.int64(), "string", st.integers(-(2**63), 2**63 - 1)),
    "ratio": (pa.float64(), "string", st.floats(-1e16, 1e16, exclude_min=True, exclude_max=True)),
    "zoned": (pa.timestamp("us", "UTC"), "timestamp", instants),
    "other": (pa.timestamp("ms", "Asia/Shanghai"), "timestamp", instants),
    "naive": (pa.timestamp("us"), "timestamp", instants.map(lambda at: at.replace(tzinfo=None))),
    "nano": (pa.timestamp("ns"), "timestamp", st.integers(-(2**62), 2**62)),
    "zonedns": (pa.timestamp("ns", "UTC"), "timestamp", st.integers(-(2**62), 2**62)),
    "day": (pa.date32(), "timestamp", st.dates(date(1, 1, 3), date(9999, 12, 29))),
}
rows_of = st.lists(
    st.fixed_dictionaries({n: st.none() | s for n, (_, _, s) in COLUMNS.items()}), min_size=1, max_size=8
)


@many(40)
@given(rows=rows_of, zone=st.sampled_from(["UTC", "America/New_York"]))
def test_values_are_those_of_the_typed_files(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], zone: str
) -> None:
    """As what `cast` says, each value is what it is where Parquet is read alone; what cannot be read is so in both."""
    root = tmp_path_factory.mktemp("mixed")
    arrays = {
        name: pa.array([row[name] for row in rows], made_of(kind)).cast(kind, safe=False)
        for name, (kind, _, _) in COLUMNS.items()
    }
    arrays |= {"user": pa.array(range(len(rows))), "ts": world.micros(*range(len(rows)))}
    pq.write_table(pa.table(arrays), root / "a.parquet")
    clean = {"cast": {"user": "int", **{name: cast for name, (_, cast, _) in COLUMNS.items()}}}
    keys = {"event_timestamp": "ts", "timezone": zone, "clean": clean}
    typed = world.source(path="a.parquet", **keys)
    mixed = source("a.parquet", "new/*.jsonl", **keys)
    told, expected = world.prepared(root, world.specs(typed), list(COLUMNS))
    tells, got = world.prepared(root, world.specs(mixed), list(COLUMNS))
    assert tells.quarantined == told.quarantined
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        for name in (*COLUMNS, "user"):
            assert one[name] == other[name] or (math.isnan(one[name]) and math.isnan(other[name])), name


def made_of(kind: pa.DataType) -> pa.DataType:
    """Nanoseconds are whole numbers in Python."""
    return pa.int64() if kind in (pa.timestamp("ns"), pa.timestamp("ns", "UTC")) else kind
