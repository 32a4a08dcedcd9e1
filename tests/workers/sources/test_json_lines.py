"""JSON Lines: every value is text until a cast types it, and a line that is none is named."""

import gzip
from pathlib import Path
from typing import Any

import pytest

from limner.language.errors import LimnerError
from limner.workers.sources.describe import describe
from tests.workers.sources import world

CAST = {"cast": {"user": "int"}}


def source(path: str = "d", **keys: Any) -> Any:
    return world.source(path=path, event_timestamp="ts", **{"clean": CAST, **keys})


def test_values_are_texts_until_a_cast_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.jsonl").write_text(
        '{"user": 1, "ts": "2026-01-01", "n": 1.50, "big": 12345678901234567890123, "flag": true, "none": null}\n'
        '\n  {"ts": "2026-01-02T00:00:00Z", "user": "2", "o": {"k": [1, "x"]}, "s": "a\\u00e9\\n\\"q\\"", "n": 1e2}\n'
    )
    (tmp_path / "d/b.ndjson").write_text('{"user": 3, "ts": "2026-01-03", "late": "only here"}')
    (tmp_path / "d/c.json").write_bytes(b"")
    (tmp_path / "d/d.json.gz").write_bytes(gzip.compress(b'{"user": 4, "ts": "2026-01-04"}\r\n'))
    columns = ["big", "flag", "late", "n", "none", "o", "s", "ts", "user"]
    assert describe(source(), tmp_path) == dict.fromkeys(columns, "string")
    _, rows = world.prepared(tmp_path, world.specs(source()), ["n", "big", "flag", "none", "o", "s", "late"])
    assert [tuple(row.values())[:-2] for row in rows] == [
        (1, "1.5", "12345678901234567890123", "true", None, None, None, None),
        (2, "100.0", None, None, None, '{"k":[1,"x"]}', 'aé\n"q"', None),
        (3, None, None, None, None, None, None, "only here"),
        (4, None, None, None, None, None, None, None),
    ]


def test_columns_that_cast_and_rename_name_are_there_though_no_line_has_them(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"user": 1, "ts": "2026-01-01"}\n')
    spec = source("d.jsonl", clean={"cast": {"user": "int", "n": "int"}}, rename={"title": "Title"})
    assert describe(spec, tmp_path) == {"user": "string", "ts": "string", "title": "string", "n": "string"}
    _, rows = world.prepared(tmp_path, world.specs(spec), ["n", "title"])
    assert (rows[0]["n"], rows[0]["title"]) == (None, None)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"user": 1, "ts": oops}', r"d\.jsonl:3 is not a line of JSON Lines: Expecting value: line 1 column 19"),
        ("[1, 2]", r"d\.jsonl:3 is not a line of JSON Lines: expected an object, found list"),
        ('{"user": 1, "user": 2}', r"d\.jsonl:3 is not a line of JSON Lines: the key 'user' comes twice"),
        ('{"user": 1', r"d\.jsonl:3 is not a line of JSON Lines: Expecting ',' delimiter"),
    ],
)
def test_a_line_that_is_none_is_an_error_that_names_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "d.jsonl").write_text(f'{{"user": 1, "ts": "2026-01-01"}}\n\n{line}\n{{"user": 1}}\n')
    specs = world.specs(source("d.jsonl"))
    with pytest.raises(LimnerError, match=f"source 'events': .*{said}"):
        world.prepared(tmp_path, specs)


def test_keys_that_differ_by_case_only_are_refused(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"user": 1, "ts": "2026-01-01"}\n{"User": 1}\n')
    with pytest.raises(LimnerError, match="some lines have the key 'User', some 'user': use one spelling"):
        describe(source("d.jsonl"), tmp_path)


def test_a_key_without_a_name_is_no_column(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text('{"user": 1, "ts": "2026-01-01", "": 1, "o": {"": 2}}\n')
    assert list(describe(source("d.jsonl"), tmp_path)) == ["o", "ts", "user"]
    _, rows = world.prepared(tmp_path, world.specs(source("d.jsonl")), ["o"])
    assert [row["o"] for row in rows] == ['{"":2}']


def test_a_folder_of_parquet_may_hold_json_beside_it(tmp_path: Path) -> None:
    world.write(tmp_path, "events", {"user": [1], "ts": world.micros(1)})
    (tmp_path / "d").mkdir()
    (tmp_path / "events.parquet").rename(tmp_path / "d/a.parquet")
    (tmp_path / "d/manifest.json").write_text("[1]")
    _, rows = world.prepared(tmp_path, world.specs(source(clean={})))
    assert [row["user"] for row in rows] == [1]
