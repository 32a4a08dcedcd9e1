"""The raw columns of a source, as a spec may name them."""

from pathlib import Path

from limner.language.models import LogicalType, Source
from limner.workers.sources.database import columns_of
from limner.workers.sources.duck import connection, reading
from limner.workers.sources.files import scan_of
from limner.workers.sources.physical import logical_type


def describe(source: Source, root: Path) -> dict[str, LogicalType]:
    """Columns by name, in the source's order; columns that specs cannot name (binary, nested) are left out.

    Raises LimnerError where files, database or table are not there or cannot be read.
    """
    if source.database is not None:
        return columns_of(source, root)
    scan = scan_of(source, root)
    with connection(None) as database, reading(source.source, "looking at its columns"):
        rows = database.execute(f"DESCRIBE SELECT * FROM {scan}").fetchall()
    kinds = {str(row[0]): logical_type(str(row[1])) for row in rows}
    return {name: kind for name, kind in kinds.items() if kind is not None}
