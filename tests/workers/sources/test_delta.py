"""Delta tables, written by the real library: the current version and no other."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import deltalake
import pyarrow as pa
import pytest

from limner.language.errors import LimnerError
from limner.workers.sources.describe import describe
from limner.workers.sources.inputs import input_fingerprint
from tests.workers.sources import world


def rows(*users: int) -> pa.Table:
    return pa.table(
        {
            "user": pa.array(users, pa.int64()),
            "ts": pa.array([datetime(2026, 1, user, tzinfo=UTC) for user in users], pa.timestamp("us", "UTC")),
            "day": pa.array([date(2026, 1, user) for user in users]),
            "kind": [f"a b/{user}é" if user < 9 else None for user in users],
            "n": pa.array(users, pa.int32()),
            "price": pa.array(users, pa.decimal128(9, 2)),
            "tags": [["x"]] * len(users),
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    deltalake.write_deltalake(tmp_path / "t", rows(1, 2, 9), partition_by=["day", "kind"])
    return tmp_path / "t"


def source(**keys: Any) -> Any:
    return world.source(**{"path": "t", "format": "delta", "event_timestamp": "ts", **keys})


def test_the_current_version_is_read_with_its_schema(tmp_path: Path, folder: Path) -> None:
    assert describe(source(), tmp_path) == {
        "user": "int", "ts": "timestamp", "day": "timestamp", "kind": "string", "n": "int", "price": "float",
    }  # fmt: skip
    specs = world.specs(source(partitions={"day": "day"}))
    seen = [input_fingerprint(specs, "events", tmp_path)]

    def users() -> list[int]:
        found = input_fingerprint(specs, "events", tmp_path)
        assert found == input_fingerprint(specs, "events", tmp_path)
        seen.append(found)
        return [row["user"] for row in world.prepared(tmp_path, specs, ["day"])[1]]

    _, read = world.prepared(tmp_path, specs, ["day", "kind", "n", "price"])
    assert [(row["day"].day, row["kind"], row["n"], row["price"]) for row in read] == [
        (1, "a b/1é", 1, 1.0), (2, "a b/2é", 2, 2.0), (9, None, 9, 9.0),
    ]  # fmt: skip
    more = rows(3, 4).append_column("extra", pa.array(["new", None]))
    deltalake.write_deltalake(folder, more, mode="append", schema_mode="merge")
    assert users() == [1, 2, 3, 4, 9]
    deltalake.DeltaTable(folder).delete("user = 2 or user = 4")
    assert users() == [1, 3, 9]
    assert [row["extra"] for row in world.prepared(tmp_path, specs, ["extra"])[1]] == [None, "new", None]
    deltalake.DeltaTable(folder).delete()
    assert users() == []
    assert len(set(seen)) == len(seen) == 4


def test_partitions_leave_files_unread(tmp_path: Path, folder: Path) -> None:
    start = 1_767_225_600_000_000
    specs = world.specs(source(partitions={"day": "day"}, where="kind is not null"))
    bounds = {"lower": start + world.DAY, "known_after": start + world.DAY, "until": start + 9 * world.DAY}
    result, read = world.prepared(tmp_path, specs, **bounds)
    assert ([row["user"] for row in read], result.files_read, result.files_left) == ([2], 1, 2)


def test_what_cannot_be_read_as_a_table_is_said(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(LimnerError, match="t is a Delta table: add `format: delta` to read its current version"):
        describe(source(format=None), tmp_path)
    (tmp_path / "plain").mkdir()
    with pytest.raises(LimnerError, match=r"plain is no Delta table \(it has no _delta_log\): correct `path`"):
        describe(source(path="plain"), tmp_path)


@pytest.mark.parametrize(
    ("log", "named"),
    [
        ('{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["deletionVectors"],'
         '"writerFeatures":["deletionVectors"]}}', "deletionVectors"),
        ('{"protocol":{"minReaderVersion":2,"minWriterVersion":5}}\n{"metaData":{"id":"x","format":{"provider":'
         '"parquet","options":{}},"schemaString":"{\\"type\\":\\"struct\\",\\"fields\\":[{\\"name\\":\\"a\\",\\"type\\":\\"long\\",\\"nullable\\":true,\\"metadata\\":{\\"delta.columnMapping.id\\":1,\\"delta.columnMapping.physicalName\\":\\"c1\\"}}]}","partitionColumns":[],'
         '"configuration":{"delta.columnMapping.mode":"name"},"createdTime":1}}', "columnMapping"),
    ],
)  # fmt: skip
def test_what_plain_parquet_cannot_say_is_refused(tmp_path: Path, folder: Path, log: str, named: str) -> None:
    (folder / "_delta_log" / f"{1:020}.json").write_text(log + "\n")
    with pytest.raises(LimnerError, match=f"the Delta table .*t uses {named}, which is not supported"):
        describe(source(), tmp_path)
