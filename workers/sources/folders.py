"""Columns that folders say: `dt=2026-01-31/part.parquet` gives each row of the file the column `dt`, a text."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from limner.language.errors import LimnerError
from limner.language.models import Source

NOTHING = "__HIVE_DEFAULT_PARTITION__"
"""How Hive and Spark name the folder of rows whose value is null."""


def folder_keys(source: Source, files: Sequence[Path], root: Path) -> Mapping[str, tuple[str | None, ...]]:
    """For each key the texts by file, null where a file has no such folder.

    Only folders below the project count, all of them for files elsewhere. Percent signs are decoded.
    """
    said = [_said(file, root) for file in files]
    keys = dict.fromkeys(key for each in said for key in each)
    twice = {key for key in keys if [other.lower() for other in keys].count(key.lower()) > 1}
    if twice:
        raise LimnerError(
            f"source {source.source!r}: folders are named {' and '.join(sorted(twice))}: use one spelling"
        )
    return {key: tuple(each.get(key) for each in said) for key in keys}


def _said(file: Path, root: Path) -> dict[str, str | None]:
    folder = (file.relative_to(root) if file.is_relative_to(root) else file).parent
    pairs = [part.partition("=") for part in folder.parts]
    return {unquote(key): None if text == NOTHING else unquote(text) for key, sign, text in pairs if sign and key}
