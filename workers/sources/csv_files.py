"""CSV files as sources. Nothing is guessed: what a file means does not change when a file is added.

The first line names the columns (one without a name is `column` and its number, from 0), fields are separated by
commas (tabs in .tsv files) and quoted by `"`, the encoding is UTF-8. Every column is text until `clean: cast` says
otherwise, because types guessed from some rows change with the rows. An empty field is null. A line with more or fewer
fields is an error.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.models import Source
from limner.workers.sources.duck import by_name, file_literal
from limner.workers.sql import literal


def csv_scan(source: Source, files: Sequence[Path], filename: str | None = None) -> str:
    """A SQL table expression over CSV files, columns matched by name; empty files are left out: "" if all are.

    `filename`: a column more, the path.
    """
    groups: dict[tuple[bool, tuple[str, ...]], list[Path]] = {}
    for file in files:
        tabs = ".tsv" in file.name.lower()
        names = header(source, file, tabs)
        if names:
            groups.setdefault((tabs, names), []).append(file)
    return by_name([_scan(names, tabs, same, filename) for (tabs, names), same in groups.items()])


def header(source: Source, file: Path, tabs: bool) -> tuple[str, ...]:
    """The column names in the first line of a file; none where the file is empty."""
    import pyarrow as pa

    try:
        with pa.input_stream(str(file), compression="detect") as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            first = next(csv.reader(text, delimiter="\t" if tabs else ","), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LimnerError(f"source {source.source!r}: cannot read the first line of {file}: {error}") from error
    names = tuple(name if name else f"column{number}" for number, name in enumerate(first))
    twice = {name for name in names if [other.lower() for other in names].count(name.lower()) > 1}
    if twice:
        raise LimnerError(f"source {source.source!r}: {file} has several columns named {min(twice)!r}: rename them")
    return names


def _scan(names: Sequence[str], tabs: bool, files: Sequence[Path], filename: str | None) -> str:
    more = "" if filename is None else f", filename = {literal(filename)}"
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in names)
    delimiter = "chr(9)" if tabs else "','"
    return (
        f"read_csv([{', '.join(map(file_literal, files))}], auto_detect = false, header = true, "
        f"columns = {{{columns}}}, delim = {delimiter}, quote = '\"', escape = '\"', strict_mode = true, "
        f"hive_partitioning = false{more})"
    )
