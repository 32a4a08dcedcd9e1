"""Files as SQL: one table expression over the files that are needed, with the columns that all of them have."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from limner.language.errors import LimnerError
from limner.language.models import Source
from limner.workers.sources.csv_files import csv_scan
from limner.workers.sources.duck import by_name, file_literal, reading
from limner.workers.sources.files import Files
from limner.workers.sources.json_lines import json_columns, json_scan
from limner.workers.sources.line_texts import as_lines, line_texts
from limner.workers.sources.naming import check_spelling, written
from limner.workers.sql import literal, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FILE = "__limner_file"


def physical_types(
    database: "DuckDBPyConnection", source: Source, files: Files, known: Sequence[str] | None = None
) -> dict[str, str]:
    """DuckDB type by column, as the data name them, over all files: their heads are read, JSON Lines whole.

    `known`: the columns of JSON Lines, where they have been found before.
    """
    if files.types is not None:
        return dict(files.types)
    if files.kind == "jsonl":
        names = list(known) if known is not None else _names(database, source, files)
        there = {name.lower() for name in names}
        names += dict.fromkeys(name for name in _spoken_of(source) if name.lower() not in there)
        found = dict.fromkeys(names, "VARCHAR")
    else:
        base = _base(database, source, files, (), None)
        if not base:
            text = f"source {source.source!r}: every file is empty, even of a header line: {source.paths[0]}"
            raise LimnerError(text)
        found = _described(database, source, base)
    found = {name: kind for name, kind in found.items() if name.lower() not in files.folded}
    return found | dict.fromkeys(files.keys, "VARCHAR")


@dataclass
class FileTable:
    """Rows of files with what their folders say. `extra` are more columns: BIGINT by file."""

    database: "DuckDBPyConnection"
    source: Source
    physical: Mapping[str, str]
    extra: Sequence[str] = ()
    made: list[str] = field(default_factory=list)

    def sql(self, files: Files, extra: Sequence[Sequence[int | None]] = (), *, all_files: bool = True) -> str:
        """A table expression of `physical` and `extra`; `all_files`: `physical` was found in these files."""
        own = [name for name in self.physical if name not in files.keys]
        plain = not files.keys and not self.extra and files.types is None
        path = None if plain and all_files else FILE
        base = _base(self.database, self.source, files, own, path) if len(files) else ""
        if not base:
            columns = [f"NULL::{kind} AS {quoted(name)}" for name, kind in self._columns().items()]
            return f"(SELECT {', '.join(columns)} WHERE false)"
        if plain and all_files:
            return base
        there = {name.lower(): kind for name, kind in _described(self.database, self.source, base).items()}
        name = self._register(files, extra)
        picks = [
            f"{self._pick(column, kind, files, there)} AS {quoted(column)}" for column, kind in self._columns().items()
        ]
        return f"(SELECT {', '.join(picks)} FROM {base} r JOIN {name} f ON r.{quoted(FILE)} = f.{quoted(FILE)})"

    def keys(self, files: Files) -> str:
        """A table of the files' keys and of their numbers, `__number`."""
        numbers = list(range(len(files)))
        name = self._register(files, [numbers], ["__number"])
        picks = [f"{_typed('f', key, self.physical[key])} AS {quoted(key)}" for key in files.keys]
        return f"(SELECT {', '.join([*picks, 'f.__number'])} FROM {name} f)"

    def _columns(self) -> dict[str, str]:
        return dict(self.physical) | dict.fromkeys(self.extra, "BIGINT")

    def _pick(self, column: str, kind: str, files: Files, there: Mapping[str, str]) -> str:
        if column in files.keys:
            return _typed("f", column, kind)
        if column in self.extra:
            return f"f.{quoted(column)}"
        if column.lower() not in there:
            return f"NULL::{kind}"
        return f"r.{quoted(column)}" if there[column.lower()] == kind else f"r.{quoted(column)}::{kind}"

    def _register(self, files: Files, extra: Sequence[Sequence[int | None]], names: Sequence[str] | None = None) -> str:
        import pyarrow as pa

        columns = {FILE: pa.array([str(path) for path in files.paths], pa.string())}
        columns |= {key: pa.array(texts, pa.string()) for key, texts in files.keys.items()}
        for name, values in zip(self.extra if names is None else names, extra, strict=True):
            columns[name] = pa.array(values, pa.int64())
        table = f"__files_{uuid4().hex}"
        self.database.register(table, pa.table(columns))
        return table


def _typed(alias: str, column: str, kind: str) -> str:
    text = f"{alias}.{quoted(column)}"
    return text if kind == "VARCHAR" else f"TRY_CAST({text} AS {kind})"


def _names(database: "DuckDBPyConnection", source: Source, files: Files) -> list[str]:
    """Every column of JSON Lines and of what lies beside them. LimnerError where two spell one differently."""
    kinds = [_described(database, source, scan) for scan in _scans(source, files, None)]
    others = [name for each in kinds for name in line_texts(each)]
    lines = files.of.get("jsonl", [])
    names = list(dict.fromkeys([*others, *(json_columns(database, source, lines) if lines else ())]))
    check_spelling(source, names, "files have the column")
    return names


def _base(
    database: "DuckDBPyConnection", source: Source, files: Files, columns: Sequence[str], filename: str | None
) -> str:
    """Rows as the files have them, columns matched by name, those of JSON Lines as named; nothing where all are empty.

    `filename`: a column more, the path.
    """
    if files.kind != "jsonl":
        return next(_scans(source, files, filename), "")
    lines = files.of.get("jsonl")
    scans = [json_scan(columns, lines, filename)] if lines else []
    for scan in _scans(source, files, filename):
        scans.append(as_lines(scan, _described(database, source, scan), columns, filename))
    return by_name(scans)


def _scans(source: Source, files: Files, filename: str | None) -> Iterator[str]:
    """Table expressions over the files that are no JSON Lines, one a format, none of empty files."""
    for kind, paths in files.of.items():
        scan = ""
        if kind == "csv":
            scan = csv_scan(source, paths, filename)
        elif kind != "jsonl":
            more = "" if filename is None else f", filename = {literal(filename)}"
            listed = ", ".join(map(file_literal, paths))
            scan = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false{more})"
        if scan:
            yield scan


def _described(database: "DuckDBPyConnection", source: Source, table: str) -> dict[str, str]:
    with reading(source.source, "looking at its columns"):
        rows = database.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    return {str(row[0]): str(row[1]) for row in rows}


def _spoken_of(source: Source) -> list[str]:
    """Columns that are there though no line has them: those that `rename` and `cast` name, and what streams write."""
    named = [*source.clean.cast]
    if source.stream is not None and source.created_timestamp is not None:
        named.append(source.created_timestamp)
    return [*source.rename.values(), *(written(source, name) for name in named)]
