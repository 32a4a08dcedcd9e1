"""A source opened for reading: the SQL that yields its raw rows, and the physical type of each column."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from limner.language.errors import LimnerError
from limner.language.models import Source
from limner.workers.sources.duck import reading
from limner.workers.sources.files import scan_of
from limner.workers.sources.instants import NAIVE_MARGIN, datetime_of, timestamp_literal
from limner.workers.sources.physical import ZONED, logical_type
from limner.workers.sources.table import stage_table
from limner.workers.sql import literal, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True)
class Bounds:
    """Which rows are needed: known <= until, and (ts >= lower, or known > known_after). Microseconds UTC.

    `lower` None: all rows; `before`: of those only rows with ts < before. A row is new where known > known_after: what
    becomes of it is counted now.
    """

    lower: int | None
    known_after: int
    until: int
    before: int | None = None


@dataclass(frozen=True)
class Scan:
    """Raw rows: a SQL table expression, with rows that cannot be needed left out where that is cheap."""

    source: Source
    table: str
    physical: Mapping[str, str]
    where: str

    def column(self, name: str) -> str:
        """The physical type of a column; LimnerError where there is none."""
        if name not in self.physical:
            raise LimnerError(
                f"source {self.source.source!r} has no column {name!r}; it has: {', '.join(sorted(self.physical))}"
            )
        return self.physical[name]

    def sql(self, columns: Collection[str]) -> str:
        """SELECT of raw columns by their names."""
        picked = ", ".join(quoted(name) for name in columns) or "1 AS __none"
        return f"SELECT {picked} FROM {self.table}{self.where}"


def open_scan(database: "DuckDBPyConnection", source: Source, root: Path, stage: Path, bounds: Bounds) -> Scan:
    """Find the files, or stage the table. Raises LimnerError where the source cannot be read."""
    low, late = earliest(source, bounds), bounds.known_after
    if source.database is not None:
        target = stage / f"table-{source.source}.parquet"
        stage_table(
            source,
            root,
            None if low is None else datetime_of(low - NAIVE_MARGIN),
            datetime_of(_end(bounds) + NAIVE_MARGIN),
            datetime_of(late - NAIVE_MARGIN),
            target,
        )
        table = f"read_parquet({literal(str(target))})"
    else:
        table = scan_of(source, root)
    with reading(source.source, "looking at its columns"):
        described = database.execute(f"DESCRIBE SELECT * FROM {table}").fetchall()
    physical = {str(row[0]): str(row[1]) for row in described}
    return Scan(source, table, physical, _where(source, physical, bounds, low))


def earliest(source: Source, bounds: Bounds) -> int | None:
    """The event timestamp (µs) before which only rows created after `known_after` are needed; None: all are needed.

    Dropping duplicates needs every row that may come first: all rows, unless equal keys mean equal event timestamps
    and equal times of becoming known.
    """
    if bounds.lower is None or duplicates_reach_back(source):
        return None
    lag = source.lag.micros if source.lag is not None else 0
    return min(bounds.lower, bounds.known_after - lag)


def duplicates_reach_back(source: Source) -> bool:
    """Whether a row may be a duplicate of one outside the bounds."""
    keys = source.clean.drop_duplicates
    timed = source.event_timestamp is not None and {"event_timestamp", source.event_timestamp} & set(keys)
    return bool(keys) and (not timed or source.created_timestamp is not None)


def _where(source: Source, physical: Mapping[str, str], bounds: Bounds, low: int | None) -> str:
    """A filter that Parquet's statistics can use; it may let too much through, never too little."""
    name = source.event_timestamp
    if name is None or not _comparable(physical.get(name, "")):
        return ""
    column = quoted(name)
    kept = f"{column} < {_bound(_end(bounds), physical[name], NAIVE_MARGIN)}"
    if low is not None:
        recent = f"{column} >= {_bound(low, physical[name], -NAIVE_MARGIN)}"
        if source.created_timestamp is not None:
            created = source.created_timestamp
            if not _comparable(physical.get(created, "")):
                recent = "true"
            else:
                late = _bound(bounds.known_after, physical[created], -NAIVE_MARGIN)
                recent = f"({recent} OR {quoted(created)} > {late})"
        kept = f"{kept} AND {recent}"
    return f" WHERE ({kept}) OR {column} IS NULL"


def _end(bounds: Bounds) -> int:
    """Only rows with ts < this are needed."""
    return bounds.until if bounds.before is None else min(bounds.until, bounds.before)


def _comparable(physical: str) -> bool:
    return logical_type(physical) == "timestamp"


def _bound(instant: int, physical: str, margin: int) -> str:
    """A literal of the column's own type: a cast of the column would hide it from the files' statistics."""
    kind = physical if physical.endswith("_NS") else ""
    return timestamp_literal(instant + margin, zoned=physical in ZONED, nanoseconds=kind)
