"""Formats of files, as their names tell them."""

from limner.language.models import Format, Source

_PACKED = ("", ".gz", ".zst")
SUFFIXES: dict[Format, tuple[str, ...]] = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz"),
    "jsonl": tuple(ending + packed for ending in (".jsonl", ".ndjson", ".json") for packed in _PACKED),
}
TITLES: dict[Format, str] = {"parquet": "Parquet", "csv": "CSV", "jsonl": "JSON Lines", "delta": "Delta"}


def file_format(path: str) -> Format | None:
    """`parquet`, `csv` or `jsonl` by the end of a path or glob, None where it does not say."""
    return next((kind for kind, suffixes in SUFFIXES.items() if path.lower().endswith(suffixes)), None)


def formats(source: Source) -> set[Format]:
    """What `format` says, or else the paths."""
    if source.format is not None:
        return {source.format}
    return {kind for path in source.paths if (kind := file_format(path)) is not None}
