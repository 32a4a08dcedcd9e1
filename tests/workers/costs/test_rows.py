"""How many rows a source has, as far as one can tell without reading it."""

import gzip
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.models import Source
from limner.workers.costs.amount import Amount
from limner.workers.costs.rows import count_rows


def source(**keys: object) -> Source:
    return Source.model_validate({"source": "s", **keys})


def test_parquet_is_counted_by_its_footers(tmp_path: Path) -> None:
    """Exactly, over all files."""
    for number in range(3):
        pq.write_table(pa.table({"a": range(1000 + number)}), tmp_path / f"{number}.parquet")
    assert count_rows(source(path="*.parquet"), tmp_path) == Amount(3003.0)


def test_text_files_are_counted_by_their_lines(tmp_path: Path) -> None:
    """Small ones exactly, unless a quote may hide a line end; large and compressed ones about."""
    (tmp_path / "a.csv").write_text("id,x\n1,2\n3,4\n5,6")
    assert count_rows(source(path="a.csv"), tmp_path) == Amount(3.0)
    (tmp_path / "a.csv").write_text('id,x\n1,"a\nb"\n')
    assert count_rows(source(path="a.csv"), tmp_path) == Amount(2.0, about=True)
    lines = [f"{n},{n * 7919 % 10_000}" for n in range(400_000)]
    (tmp_path / "a.csv").write_text("id,x\n" + "\n".join(lines) + "\n")
    plain = count_rows(source(path="a.csv"), tmp_path)
    assert plain.about
    assert plain.value is not None
    assert abs(plain.value / 400_000 - 1) < 0.1
    with gzip.open(tmp_path / "b.csv.gz", "wt") as file:
        file.write("id,x\n" + "\n".join(lines) + "\n")
    packed = count_rows(source(path="b.csv.gz"), tmp_path)
    assert packed.about
    assert packed.value is not None
    assert abs(packed.value / 400_000 - 1) < 0.2


def test_a_table_is_counted_by_its_database(tmp_path: Path) -> None:
    """SQLite counts."""
    with sqlite3.connect(tmp_path / "x.db") as database:
        database.execute("CREATE TABLE t(a INTEGER)")
        database.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(17)])
    assert count_rows(source(database="sqlite:///x.db", table="t"), tmp_path) == Amount(17.0)


def test_a_source_that_cannot_be_read_is_unknown(tmp_path: Path) -> None:
    """The reason is the note; the plan goes on."""
    found = count_rows(source(path="nowhere.parquet"), tmp_path)
    assert found.value is None
    assert "nothing is at" in found.note
