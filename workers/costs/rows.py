"""How many rows a source has, without reading it."""

import gzip
from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.models import Source
from limner.workers.costs.amount import NOTHING, Amount, unknown
from limner.workers.sources.database import opened
from limner.workers.sources.files import found

_SAMPLE = 1 << 20  # bytes of a text file whose lines are counted
_FILES = 20  # text files that are looked into; the others are taken to be like them


def count_rows(source: Source, root: Path) -> Amount:
    """Rows of a source: of Parquet by its footers, of text files by a sample, of a table as its database says."""
    try:
        if source.database is not None:
            return _table(source, root)
        counted = [
            (_parquet if kind in ("parquet", "delta") else _lines)(paths)
            for kind, paths in found(source, root).of.items()
        ]
        return sum(counted, NOTHING)
    except (LimnerError, OSError, ValueError) as error:
        return unknown(str(error).partition("\n")[0])


def _parquet(files: list[Path]) -> Amount:
    import pyarrow.parquet as pq

    return Amount(sum(pq.read_metadata(file).num_rows for file in files))


def _lines(files: list[Path]) -> Amount:
    """Lines of up to a mebibyte of some files, scaled to the size of all."""
    step = max(1, len(files) // _FILES)
    lines = read = 0.0
    exact = len(files) <= _FILES
    for file in files[::step]:
        size = file.stat().st_size
        there, part, plain = _sample(file)
        exact &= part >= size and plain
        lines += there * size / max(part, 1)
        read += size
    total = sum(file.stat().st_size for file in files)
    return Amount(float(round(lines * total / max(read, 1))), about=not exact)


def _sample(file: Path) -> tuple[int, int, bool]:
    """Rows in the beginning of a file, a header left out, the bytes of the file they stand in, and whether each row is
    a line for certain: in quotes there may be line ends.
    """
    with file.open("rb") as raw:
        if file.suffix == ".gz":
            with gzip.GzipFile(fileobj=raw) as text:
                data = text.read(_SAMPLE)
            taken = min(raw.tell(), file.stat().st_size)
        else:
            data = raw.read(_SAMPLE)
            taken = len(data)
    rows = data.count(b"\n") + (0 if data.endswith(b"\n") or not data else 1)
    csv = any(each in file.name.lower() for each in (".csv", ".tsv"))
    return max(0, rows - csv), taken, not (csv and b'"' in data)


def _table(source: Source, root: Path) -> Amount:
    import sqlalchemy as sa

    with opened(source, root) as (connection, table):
        if connection.dialect.name == "postgresql":
            query = sa.text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:name)")
            found = connection.execute(query, {"name": source.table}).scalar()
            if found is not None and found >= 0:  # -1: never analyzed
                return Amount(float(found), about=True, note="as PostgreSQL's statistics say")
            connection.exec_driver_sql("SET LOCAL statement_timeout = 3000")
        return Amount(float(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()))
