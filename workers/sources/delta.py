"""Delta tables as sources: the files of the current version, its schema, and what its partitions say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from limner.language.errors import LimnerError
from limner.language.models import Source

_UNDERSTOOD = frozenset({"timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"})
_TYPES = {
    "string": "VARCHAR", "long": "BIGINT", "integer": "INTEGER", "short": "SMALLINT", "byte": "TINYINT",
    "double": "DOUBLE", "float": "FLOAT", "boolean": "BOOLEAN", "date": "DATE", "binary": "BLOB",
    "timestamp": "TIMESTAMPTZ", "timestamp_ntz": "TIMESTAMP",
}  # fmt: skip

Found = tuple[str, dict[str, str], list[Path], Mapping[str, tuple[str | None, ...]]]


def is_delta(folder: Path) -> bool:
    """Whether a folder is a Delta table."""
    return (folder / "_delta_log").is_dir()


def delta_files(source: Source, folder: Path) -> Found:
    """The version (`<table id>@<number>`), DuckDB type by column, files, and partition values as text by file.

    Types that specs cannot name (lists, structs, maps) are left to the files: they get no entry. Raises LimnerError
    where the folder is no table, or one that needs what plain Parquet cannot say.
    """
    if not is_delta(folder):
        raise LimnerError(
            f"source {source.source!r}: {folder} is no Delta table (it has no _delta_log): correct `path`"
        )
    try:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError
    except ModuleNotFoundError as error:
        raise LimnerError(f"source {source.source!r}: `format: delta` needs pip install 'limner[delta]'") from error
    try:
        table = DeltaTable(folder)
        _check(source, folder, table)
        actions = table.get_add_actions(flatten=False)
        rows = _rows(actions)
        types = {field.name: kind for field in table.schema().fields if (kind := _type(field.type)) is not None}
        partitions = table.metadata().partition_columns
        version = f"{table.metadata().id}@{table.version()}"
    except (DeltaError, OSError) as error:
        raise LimnerError(f"source {source.source!r}: cannot read the Delta table {folder}: {error}") from error
    rows.sort(key=lambda row: str(row["path"]))
    keys = {name: tuple(_text(row["partition"].get(name)) for row in rows) for name in partitions}
    return version, types, [folder / unquote(row["path"]) for row in rows], keys


def _rows(actions: Any) -> list[dict[str, Any]]:
    import pyarrow as pa

    table = pa.table(actions)
    paths = table["path"].to_pylist()
    parts = table["partition"].to_pylist() if "partition" in table.column_names else [None] * len(paths)
    return [{"path": path, "partition": part or {}} for path, part in zip(paths, parts, strict=True)]


def _check(source: Source, folder: Path, table: Any) -> None:
    protocol = table.protocol()
    strange = sorted(set(protocol.reader_features or ()) - _UNDERSTOOD)
    mapped = table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"
    if mapped:
        strange.append("columnMapping")
    if strange:
        names = ", ".join(dict.fromkeys(strange))
        raise LimnerError(
            f"source {source.source!r}: the Delta table {folder} uses {names}, which is not supported: write it "
            "without (deletion vectors: REORG TABLE ... APPLY (PURGE) removes them)"
        )


def _type(kind: Any) -> str | None:
    name = getattr(kind, "type", None)
    if not isinstance(name, str):
        return None
    if name.startswith("decimal"):
        return name.upper().replace(" ", "")
    return _TYPES.get(name)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
