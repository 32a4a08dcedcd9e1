"""JSON Lines as sources: one object a line. As with CSV nothing is guessed: every value is text until `cast` types it.

A text is itself, `true`, `false` and whole numbers are as written, another number is the shortest text of its 64-bit
value (`1.50` is `1.5`), an object or list is its JSON without white space; null and what is missing are null. A
line that is no object, and a key that comes twice, are errors.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.language.errors import LimnerError
from limner.language.models import Source
from limner.workers.sources.duck import file_literal, reading
from limner.workers.sources.naming import check_spelling
from limner.workers.sql import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_LINES = "format = 'newline_delimited', hive_partitioning = false"


def json_scan(columns: Sequence[str], files: Sequence[Path], filename: str | None) -> str:
    """A SQL table expression of `columns`, null where a line lacks one; `filename`: a column more, the path."""
    listed = ", ".join(map(file_literal, files))
    typed = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in columns or ["__none"])
    more = "" if filename is None else f", filename = {literal(filename)}"
    return f"read_json([{listed}], {_LINES}, records = true, columns = {{{typed}}}{more})"


def json_objects(files: Sequence[Path]) -> str:
    """A SQL table expression of one column, `json`: the lines."""
    return f"read_json_objects([{', '.join(map(file_literal, files))}], {_LINES})"


def json_columns(database: "DuckDBPyConnection", source: Source, files: Sequence[Path]) -> list[str]:
    """Every key of any line, sorted, but for the empty one: no spec can name it. All lines are read.

    LimnerError says which line cannot be, and why.
    """
    keys = f"SELECT unnest(json_keys(json)) AS key FROM {json_objects(files)}"
    sql = f"SELECT DISTINCT key FROM ({keys}) WHERE key <> '' ORDER BY key"
    with reading_lines(source, files, "looking at its columns"):
        names = [str(row[0]) for row in database.execute(sql).fetchall()]
    check_spelling(source, names, "lines have the key")
    return names


@contextmanager
def reading_lines(source: Source, files: Sequence[Path], doing: str) -> Iterator[None]:
    """As `duck.reading`, for JSON Lines: an error names the file and the line, counted from 1."""
    import duckdb

    with reading(source.source, doing):
        try:
            yield
        except duckdb.InvalidInputException as error:
            for file in files if "JSON" in str(error) else ():
                _blame(source, file, error)
            raise


def _blame(source: Source, file: Path, cause: BaseException) -> None:
    """Raise LimnerError for the first line of a file that cannot be read."""
    import pyarrow as pa

    with pa.input_stream(str(file), compression="detect") as stream:
        number, rest = 0, b""
        while chunk := stream.read(1 << 20):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                number += 1
                _judge(source, file, number, line, cause)
        _judge(source, file, number + 1, rest, cause)


def _judge(source: Source, file: Path, number: int, line: bytes, cause: BaseException) -> None:
    if not line.strip():
        return
    try:
        value = json.loads(line.decode("utf-8-sig"), object_pairs_hook=_once)
        wrong = "" if isinstance(value, dict) else f"expected an object, found {type(value).__name__}"
    except (ValueError, RecursionError) as error:
        wrong = str(error)
    if wrong:
        raise LimnerError(f"source {source.source!r}: {file}:{number} is not a line of JSON Lines: {wrong}") from cause


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(f"the key {key!r} comes twice")
        seen[key] = value
    return seen
