"""The files of a source: from a path, a folder, a glob or several of them to a sorted list and a SQL scan."""

import glob
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from limner.language.errors import LimnerError
from limner.language.models import Source
from limner.workers.sources.csv_files import csv_scan
from limner.workers.sources.duck import file_literal

Format = Literal["parquet", "csv"]
SUFFIXES: dict[Format, tuple[str, ...]] = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz"),
}


def files_of(source: Source, root: Path) -> list[Path]:
    """Every file a source reads, sorted, each once. Paths are relative to `root`.

    A path that exists is taken as it is, whatever characters it holds; else it is a glob (`**` crosses folders). A
    folder stands for all files of the format below it, save those below a name that starts with `.` or `_`. Raises
    LimnerError where a path finds nothing.
    """
    found = [file for path in source.paths for file in _matches(source, path, root)]
    return sorted(set(found))


def format_of(source: Source, files: list[Path]) -> Format:
    """The declared format, or the one that the names of all files tell."""
    if source.format is not None:
        return source.format
    formats = {kind for file in files for kind, suffixes in SUFFIXES.items() if file.name.lower().endswith(suffixes)}
    if len(formats) != 1:
        names = ", ".join(file.name for file in files[:3])
        raise LimnerError(
            f"source {source.source!r}: is {names} Parquet or CSV? Add `format: parquet` or `format: csv`"
        )
    return formats.pop()


def scan_of(source: Source, root: Path) -> str:
    """A SQL table expression over all files of a source, columns matched by name."""
    files = files_of(source, root)
    if format_of(source, files) == "csv":
        return csv_scan(source, files)
    return f"read_parquet([{', '.join(map(file_literal, files))}], union_by_name = true)"


def _matches(source: Source, path: str, root: Path) -> list[Path]:
    exact = root / path
    if exact.is_file():
        return [exact]
    if exact.is_dir():
        found = list(_below(exact, source.format))
        if not found:
            kinds = SUFFIXES[source.format] if source.format else sum(SUFFIXES.values(), ())
            raise LimnerError(f"source {source.source!r}: the folder {exact} has no files named {', '.join(kinds)}")
        return found
    found = [root / match for match in glob.glob(path, root_dir=root, recursive=True)]
    found = [match for match in found if match.is_file()]
    if not found:
        raise LimnerError(
            f"source {source.source!r}: nothing is at {exact}: put the data there, or correct `path` "
            f"(it is relative to {root})"
        )
    return found


def _below(folder: Path, kind: Format | None) -> Iterator[Path]:
    suffixes = SUFFIXES[kind] if kind else sum(SUFFIXES.values(), ())
    for file in folder.rglob("*"):
        hidden = any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
        if not hidden and file.name.lower().endswith(suffixes) and file.is_file():
            yield file
