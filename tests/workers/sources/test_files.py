"""Where files are found, under whatever name, and what is said where they are not."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.language.errors import LimnerError, SpecError
from limner.language.repo import load_texts
from limner.workers.sources.describe import describe, describe_all
from limner.workers.sources.files import files_of
from limner.workers.sources.inputs import input_fingerprint
from tests.workers.sources import world


def put(path: Path, user: int = 1, **columns: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"user": [user], "ts": world.micros(user), **columns}), path)


def users(root: Path, path: object, **keys: object) -> list[int]:
    source = world.source(path=path, event_timestamp="ts", **keys)
    return [row["user"] for row in world.prepared(root, world.specs(source))[1]]


@pytest.mark.parametrize(
    "name",
    ["it's.parquet", 'say "hi".parquet', "a b.parquet", "x*.parquet", "[ab].parquet", "q?.parquet", "价格.parquet",
     "a;b--.parquet", "back\\slash.parquet", "{a,b}.parquet", "100%.parquet"],
)  # fmt: skip
def test_a_path_that_exists_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, 7)
    put(tmp_path / "xy.parquet", 8)
    put(tmp_path / "a.parquet", 9)
    assert users(tmp_path, name) == [7]


def test_folders_globs_and_lists_find_each_file_once(tmp_path: Path) -> None:
    for number, name in enumerate(["d/a.parquet", "d/deep/b.pq", "d/c.parquet", "d/_tmp/x.parquet", "d/.y.parquet"]):
        put(tmp_path / name, number)
    (tmp_path / "d/README.txt").write_text("not data")
    assert users(tmp_path, "d") == [0, 1, 2]
    assert users(tmp_path, "d/*.parquet") == [0, 2]
    assert users(tmp_path, "d/**/*.p*q*") == [0, 1, 2, 3]
    assert users(tmp_path, ["d", "d/a.parquet", str(tmp_path / "d/c.parquet")]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("gone.parquet", r"source 'events': nothing is at .*gone.parquet: put the data there, or correct `path`"),
        ("no*.parquet", r"source 'events': nothing is at .*no\*.parquet"),
        ("empty", r"source 'events': the folder .*empty has no files named \.parquet"),
        ("mixed", r"source 'events': is .* Parquet, CSV or JSON Lines\? Add `format: parquet`, "),
        ("broken.parquet", r"source 'events': error while looking at its columns: .*broken.parquet"),
        ("void.csv", r"source 'events': every file is empty"),
    ],
)
def test_what_is_missing_or_unreadable_is_named_with_what_to_do(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    put(tmp_path / "mixed/a.parquet")
    (tmp_path / "mixed/b.csv").write_text("user\n1\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "void.csv").write_bytes(b"")
    with pytest.raises(LimnerError, match=message):
        describe(world.source(path=path, event_timestamp="ts"), tmp_path)


def test_a_source_that_streams_is_told_how_to_begin_without_files(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in ("empty", "gone", "gone/*.jsonl"):
        source = world.source(
            path=path,
            event_timestamp="ts",
            created_timestamp="came",
            format="jsonl",
            stream={"id": "n", "lateness": "1d"},
        )
        folder = re.escape(str(tmp_path / path.partition("/")[0] / "first.jsonl"))
        with pytest.raises(LimnerError, match=f"write one with all its columns as a line of {folder}"):
            describe(source, tmp_path)


def test_files_of_one_folder_may_have_different_columns(tmp_path: Path) -> None:
    put(tmp_path / "d/a.parquet", 1, n=pa.array([1], pa.int32()), old=["x"])
    put(tmp_path / "d/b.parquet", 2, new=[1.5], n=pa.array([2], pa.int64()))
    source = world.source(path="d", event_timestamp="ts")
    assert describe(source, tmp_path) == {"user": "int", "ts": "timestamp", "n": "int", "old": "string", "new": "float"}
    _, rows = world.prepared(tmp_path, world.specs(source), ["n", "old", "new"])
    assert [(row["n"], row["old"], row["new"]) for row in rows] == [(1, "x", None), (2, None, 1.5)]


def test_columns_that_specs_cannot_name_are_left_out_and_named_when_asked_for(tmp_path: Path) -> None:
    put(
        tmp_path / "events.parquet",
        1,
        tags=[["a"]],
        blob=[b"x"],
        day=pa.array([0], pa.date32()),
        t=pa.array([1], pa.time32("s")),
    )
    source = world.source(event_timestamp="ts")
    assert describe(source, tmp_path) == {"user": "int", "ts": "timestamp", "day": "timestamp", "t": "string"}
    broken = world.source(event_timestamp="ts", clean={"missing": {"blob": "drop"}})
    with pytest.raises(LimnerError, match="column 'blob' is BLOB, which specs cannot use"):
        world.prepared(tmp_path, world.specs(broken))
    gone = world.source(event_timestamp="ts", clean={"missing": {"amuont": "drop"}})
    with pytest.raises(
        LimnerError, match="source 'events' has no column 'amuont'; it has: blob, day, t, tags, ts, user"
    ):
        world.prepared(tmp_path, world.specs(gone))


def test_csv_columns_are_text_until_a_cast_says_otherwise(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/a.csv").write_text('user,ts,note,n\n1,2026-01-01T00:00:00Z,"a ""quoted"", one\ntwo",007\n')
    (tmp_path / "d/b.csv").write_text("n,user,ts,note\n,2,2026-01-02 00:00:00+00,,\n".replace(",,\n", ",\n"))
    (tmp_path / "d/c.csv").write_bytes(b"")
    (tmp_path / "d/e.csv").write_text("user,ts,note,n\n")
    source = world.source(path="d", event_timestamp="ts", clean={"cast": {"user": "int", "n": "int"}})
    assert set(describe(source, tmp_path).values()) == {"string"}
    _, rows = world.prepared(tmp_path, world.specs(source), ["note", "n"])
    assert [(row["user"], row["note"], row["n"]) for row in rows] == [(1, 'a "quoted", one\ntwo', 7), (2, None, None)]


def test_tab_separated_and_gzipped_files_are_read(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "a.tsv").write_text("user\tts\tnote\n1\t2026-01-01\ta,b\n")
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"user,ts,note\n2,2026-01-01,c\n"))
    for name, note in (("a.tsv", "a,b"), ("b.csv.gz", "c")):
        source = world.source(path=name, event_timestamp="ts", clean={"cast": {"user": "int"}})
        assert world.prepared(tmp_path, world.specs(source), ["note"])[1][0]["note"] == note


def test_a_ragged_csv_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("user,ts\n1,2026-01-01\n2,2026-01-02,3,4\n")
    source = world.source(path="bad.csv", event_timestamp="ts", clean={"cast": {"user": "int"}})
    with pytest.raises(LimnerError, match=r"source 'events': error while reading .* Line: 3.* Found: 3.*bad.csv"):
        world.prepared(tmp_path, world.specs(source))
    (tmp_path / "bad.csv").write_text("user,ts,User\n")
    with pytest.raises(LimnerError, match=r"bad.csv has several columns named 'User': rename them"):
        world.prepared(tmp_path, world.specs(source))


def test_windows_line_ends_byte_order_marks_and_nameless_columns_are_fine(tmp_path: Path) -> None:
    text = 'user,,ts,note\r\n1,0,2026-01-01,"a\r\nb"\r\n2,1,2026-01-01,\r\n'
    (tmp_path / "events.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    source = world.source(path="events.csv", event_timestamp="ts", clean={"cast": {"user": "int"}})
    _, rows = world.prepared(tmp_path, world.specs(source), ["note", "column1"])
    assert [(row["user"], row["column1"], row["note"]) for row in rows] == [(1, "0", "a\r\nb"), (2, "1", None)]


def test_large_csv_with_line_ends_inside_quotes_is_read_whole(tmp_path: Path) -> None:
    line = '{0},2026-01-01,"first line of {0}\nsecond, ""quoted""\n' + "x" * 200 + '"\n'
    (tmp_path / "events.csv").write_text("user,ts,note\n" + "".join(line.format(i) for i in range(60_000)))
    source = world.source(path="events.csv", event_timestamp="ts", clean={"cast": {"user": "int"}})
    result, _ = world.prepared(tmp_path, world.specs(source), ["note"], threads=2)
    assert (result.rows_kept, result.quarantined) == (60_000, {})


def test_the_fingerprint_of_the_input_changes_with_any_file_of_it(tmp_path: Path) -> None:
    put(tmp_path / "d/a.parquet", 1)
    put(tmp_path / "things.parquet", 5)
    specs = world.specs(
        world.source(path="d/*", event_timestamp="ts", lookup={"things": "user"}),
        world.source("things", path="things.parquet"),
    )
    seen = [input_fingerprint(specs, "events", tmp_path)]
    assert seen == [input_fingerprint(specs, "events", tmp_path)]
    put(tmp_path / "d/b.parquet", 1)
    seen.append(input_fingerprint(specs, "events", tmp_path))
    put(tmp_path / "things.parquet", 6)
    seen.append(input_fingerprint(specs, "events", tmp_path))
    assert len(set(seen)) == 3
    assert files_of(specs.sources["events"], tmp_path) == [tmp_path / "d/a.parquet", tmp_path / "d/b.parquet"]


def test_all_sources_without_files_are_named_with_the_place_that_declares_them(tmp_path: Path) -> None:
    text = "entity: user\njoin_keys: {user: int}\n"
    for name in ("one", "two", "three"):
        text += f"---\nsource: {name}\nentity: user\nevent_timestamp: ts\npath: {name}.parquet\n"
    put(tmp_path / "two.parquet")
    with pytest.raises(SpecError) as raised:
        describe_all(load_texts({"specs/a.yaml": text}), tmp_path)
    found = [str(problem) for problem in raised.value.problems]
    assert [each.partition(": put the data")[0] for each in found] == [
        f"specs/a.yaml:7:7: source one: path: nothing is at {tmp_path}/one.parquet",
        f"specs/a.yaml:17:7: source three: path: nothing is at {tmp_path}/three.parquet",
    ]
