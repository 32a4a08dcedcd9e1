"""The files of a source: from a path, a folder, a glob or several of them to a sorted list, and their format."""

import glob
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.formats import SUFFIXES, file_format, formats
from limner.language.models import Format, Source
from limner.language.suggest import listed
from limner.workers.sources.delta import delta_files, is_delta
from limner.workers.sources.event_path import event_path
from limner.workers.sources.folders import folder_keys

_PLAIN: tuple[Format, ...] = ("parquet", "csv")
"""What a folder without `format` is searched for first; JSON is often there for other reasons."""


@dataclass(frozen=True)
class Files:
    """Files of one format. `keys` are the columns that folders say (`dt=2026-01-31`): for each the text a file.

    `types` are the DuckDB types by column where the format has a schema apart from the files (Delta), in its order;
    `version` says which state of such a table was read. `mixed`: JSON Lines, and others that are read as if they were.
    """

    kind: Format
    paths: tuple[Path, ...]
    keys: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    types: Mapping[str, str] | None = None
    version: str = ""
    mixed: bool = False

    def __len__(self) -> int:
        return len(self.paths)

    def only(self, numbers: list[int]) -> "Files":
        """Some of the files, by their number."""
        keys = {key: tuple(texts[number] for number in numbers) for key, texts in self.keys.items()}
        return replace(self, paths=tuple(self.paths[number] for number in numbers), keys=keys)

    @cached_property
    def of(self) -> Mapping[Format, list[Path]]:
        """The files of each format that there is."""
        if not self.mixed:
            return {self.kind: list(self.paths)} if self.paths else {}
        found: dict[Format, list[Path]] = {}
        for path in self.paths:
            found.setdefault(file_format(path.name) or self.kind, []).append(path)
        return found

    @cached_property
    def folded(self) -> frozenset[str]:
        """The keys in lower case: SQL does not tell names apart by case."""
        return frozenset(key.lower() for key in self.keys)


def files_of(source: Source, root: Path) -> list[Path]:
    """Every file a source reads, sorted, each once. Paths are relative to `root`.

    A path that exists is taken as it is, whatever characters it holds; else it is a glob (`**` crosses folders). A
    folder stands for all files of the format below it, save those below a name that starts with `.` or `_`; a Delta
    table for those of its current version. Raises LimnerError where a path finds nothing.
    """
    return list(found(source, root).paths)


def found(source: Source, root: Path) -> Files:
    """The files, with their format and what their folders say. Raises LimnerError where a path finds nothing."""
    if source.format == "delta":
        version, types, paths, keys = delta_files(source, root / source.paths[0])
        return Files("delta", tuple(paths), keys, types, version)
    _refuse_delta(source, root)
    by_path = {path: _matches(source, path, root) for path in source.paths}
    paths = sorted({file for some in by_path.values() for file in some})
    place = event_path(source, root) if source.stream is not None else None
    for path, some in by_path.items():
        events = len(by_path) == 1 or (place is not None and path == place[0])
        if not some and not (events and paths):  # beside others, where events go there may be nothing yet
            raise LimnerError(_missing(source, path, root) + (_first(source, path, root) if events else ""))
    kind, mixed = _format(source, paths)
    return Files(kind, tuple(paths), folder_keys(source, paths, root), mixed=mixed)


def _format(source: Source, files: list[Path]) -> tuple[Format, bool]:
    """The declared format, or the one that the names of all files tell; and whether there are others beside it."""
    if source.format is not None:
        return source.format, False
    there = {kind for file in files if (kind := file_format(file.name)) is not None}
    if source.stream is not None and "jsonl" in formats(source) and there - {"jsonl"}:
        return "jsonl", True
    if len(there) != 1:
        names = ", ".join(file.name for file in files[:3])
        choices = listed([f"`format: {kind}`" for kind in SUFFIXES])
        raise LimnerError(f"source {source.source!r}: is {names} Parquet, CSV or JSON Lines? Add {choices}")
    return there.pop(), False


def _refuse_delta(source: Source, root: Path) -> None:
    """A Delta table's folder also holds files that it has deleted: they must not be read by chance."""
    for path in source.paths:
        if source.format is None and is_delta(root / path):
            raise LimnerError(
                f"source {source.source!r}: {root / path} is a Delta table: add `format: delta` to read its current "
                "version, or `format: parquet` to read every file in it"
            )


def _matches(source: Source, path: str, root: Path) -> list[Path]:
    exact = root / path
    if exact.is_file():
        return [exact]
    if exact.is_dir():
        return _in_folder(exact, source.format)
    found = [root / match for match in glob.glob(path, root_dir=root, recursive=True)]
    return [match for match in found if match.is_file()]


def _missing(source: Source, path: str, root: Path) -> str:
    exact = root / path
    if exact.is_dir():
        kinds = ", ".join(SUFFIXES[source.format] if source.format else sum(SUFFIXES.values(), ()))
        return f"source {source.source!r}: the folder {exact} has no files named {kinds}"
    return (
        f"source {source.source!r}: nothing is at {exact}: put the data there, or correct `path` "
        f"(it is relative to {root})"
    )


def _first(source: Source, path: str, root: Path) -> str:
    """What to do where a source streams, and nothing has come yet."""
    if source.stream is None:
        return ""
    exact = root / path
    folder = exact.parent if exact.suffix and not exact.is_dir() else exact
    return (
        "; to begin with events alone, write one with all its columns as a line of "
        f"{folder / 'first.jsonl'}: it tells which columns there are"
    )


def _in_folder(folder: Path, kind: Format | None) -> list[Path]:
    if kind is not None:
        return list(_below(folder, SUFFIXES[kind]))
    return list(_below(folder, sum((SUFFIXES[each] for each in _PLAIN), ()))) or list(_below(folder, SUFFIXES["jsonl"]))


def _below(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    for file in folder.rglob("*"):
        hidden = any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
        if not hidden and file.name.lower().endswith(suffixes) and file.is_file():
            yield file
