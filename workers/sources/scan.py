"""A source opened for reading: the SQL that yields its raw rows, and the physical type of each column."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.models import LogicalType, Source
from limner.language.scope import types_of
from limner.workers.sources.duck import reading
from limner.workers.sources.file_scan import FileTable, physical_types
from limner.workers.sources.files import Files, found
from limner.workers.sources.instants import NAIVE_MARGIN, datetime_of, timestamp_literal
from limner.workers.sources.json_lines import reading_lines
from limner.workers.sources.meeting import met
from limner.workers.sources.naming import renamed, written
from limner.workers.sources.partitions import check_keys, claims, needed
from limner.workers.sources.physical import ZONED, logical_type
from limner.workers.sources.table import stage_table
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import literal, quoted

_CLAIMED = ("low", "high", "jump")
EVER = 1 << 61
"""µs: no row happens or becomes known later."""
CLAIM = tuple(f"__limner_{name}" for name in _CLAIMED)
"""What a row's folders say of its time: local µs from `low` to before `high`, or the instant `jump`; null: nothing."""


@dataclass(frozen=True)
class Bounds:
    """Which rows are needed: known <= until, and (ts >= lower, or known > known_after). Microseconds UTC.

    `lower` None: all rows; `before`: of those only rows with ts < before; `stretches`: of those with ts >= lower only
    rows with low <= ts < high in one of them. A row is new where known > known_after: what becomes of it is counted.
    """

    lower: int | None
    known_after: int
    until: int
    before: int | None = None
    stretches: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True)
class Scan:
    """Raw rows: a SQL table expression by the spec's names, without rows that cannot be needed where that is cheap.

    `files` are those read, of `of_files`. `claimed`: the columns of CLAIM are there, what the row's folders say of its
    time.
    """

    source: Source
    table: str
    physical: Mapping[str, str]
    where: str
    files: Files | None = None
    of_files: int = 0
    claimed: bool = False

    def column(self, name: str) -> str:
        """The physical type of a column; LimnerError where there is none."""
        if name not in self.physical:
            raise LimnerError(
                f"source {self.source.source!r} has no column {name!r}; it has: {', '.join(sorted(self.physical))}"
            )
        return self.physical[name]

    def sql(self, columns: Collection[str]) -> str:
        """SELECT of raw columns by their names, and of what folders claim."""
        names = [*columns, *(CLAIM if self.claimed else ())]
        picked = ", ".join(quoted(name) for name in names) or "1 AS __none"
        return f"SELECT {picked} FROM {self.table}{self.where}"

    def reading(self, doing: str) -> AbstractContextManager[None]:
        """Turn what DuckDB says of unreadable input into an error that names the source, the file and the place."""
        if self.files is not None and self.files.kind == "jsonl":
            return reading_lines(self.source, self.files.of.get("jsonl", []), doing)
        return reading(self.source.source, doing)


def open_scan(
    bench: Workbench,
    source: Source,
    root: Path,
    stage: Path,
    bounds: Bounds,
    columns: Mapping[str, LogicalType],
    only: Collection[Path] | None = None,
) -> Scan:
    """Find the files (`only`: none but these), or stage the table; `columns` are those that `describe` found.

    Raises LimnerError where the source cannot be read.
    """
    if source.database is None:
        return _open_files(bench, source, root, bounds, columns, only)
    low, late = earliest(source, bounds), bounds.known_after
    target = stage / f"table-{source.source}-{bench.name()}.parquet"
    stage_table(
        source,
        root,
        None if low is None else datetime_of(low - NAIVE_MARGIN),
        datetime_of(_end(bounds) + NAIVE_MARGIN),
        datetime_of(late - NAIVE_MARGIN),
        target,
        types_of(source, columns),
    )
    table = f"read_parquet({literal(str(target))})"
    with reading(source.source, "looking at its columns"):
        physical = {str(row[0]): str(row[1]) for row in bench.rows(f"DESCRIBE SELECT * FROM {table}")}
    return Scan(source, table, physical, _where(source, physical, bounds, low))


def _open_files(
    bench: Workbench,
    source: Source,
    root: Path,
    bounds: Bounds,
    columns: Mapping[str, LogicalType],
    only: Collection[Path] | None,
) -> Scan:
    files = found(source, root)
    check_keys(source, files)
    known = [written(source, name) for name in columns if written(source, name) not in files.keys]
    old = physical_types(bench.database, source, files, known)
    physical = renamed(source, old)
    low = earliest(source, bounds)
    where = _where(source, physical, bounds, low)
    table = FileTable(bench.database, source, old, CLAIM if source.partitions else ())
    numbers = met(bench, source, files, table)
    if only is not None:
        numbers = [number for number in numbers if files.paths[number] in only]
    if not source.partitions:
        picked = files.only(numbers)
        whole = len(numbers) == len(files)
        scan = _named(source, old, (), table.sql(picked if not whole else files, all_files=whole))
        return Scan(source, scan, physical, where, picked, len(files))
    said = claims(source, files)
    # Every row of a file whose folder a run needs is looked at: one that lies elsewhere must be found out there. Of the
    # other files only rows written late can be needed.
    parts: list[tuple[int | None, int]] = [(low, _end(bounds))]
    if bounds.stretches is not None:
        parts = [*_recent(source, bounds)]
    inside = [n for n in numbers if any(needed(said[n], begin, end) for begin, end in parts)]
    late = [
        n for n in numbers if source.created_timestamp and n not in set(inside) and needed(said[n], None, _end(bounds))
    ]
    tables: list[str] = []
    for some, met_by in ((inside, ""), (late, where)):
        extra = [[None if (c := said[n]) is None else getattr(c, name) for n in some] for name in _CLAIMED]
        if some or not tables:
            rows = _named(source, old, CLAIM, table.sql(files.only(some), extra, all_files=False))
            tables.append(f"SELECT * FROM {rows}{met_by}")
    read = files.only(sorted([*inside, *late]))
    return Scan(source, f"({' UNION ALL '.join(tables)})", physical, "", read, len(files), claimed=True)


def _named(source: Source, physical: Mapping[str, str], more: Sequence[str], table: str) -> str:
    """`table` with the columns under their new names."""
    if not source.rename:
        return table
    names = renamed(source, {name: name for name in physical})
    picks = [f"{quoted(old)} AS {quoted(new)}" for new, old in names.items()]
    return f"(SELECT {', '.join([*picks, *map(quoted, more)])} FROM {table})"


def earliest(source: Source, bounds: Bounds) -> int | None:
    """The event timestamp (µs) before which only rows created after `known_after` are needed; None: all are needed.

    Dropping duplicates needs every row that may come first: all rows, unless equal keys mean equal event timestamps
    and equal times of becoming known.
    """
    if bounds.lower is None or duplicates_reach_back(source):
        return None
    lag = source.lag.micros if source.lag is not None else 0
    return min(bounds.lower, bounds.known_after - lag)


def _recent(source: Source, bounds: Bounds) -> list[tuple[int, int]]:
    """The stretches of event time in which rows are needed whenever they were created."""
    new = bounds.known_after - (source.lag.micros if source.lag is not None else 0)
    return [*(bounds.stretches or ()), (new, _end(bounds))]


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
        if bounds.stretches is not None:
            recent = " OR ".join(
                f"{column} >= {_bound(begin, physical[name], -NAIVE_MARGIN)} "
                f"AND {column} < {_bound(end, physical[name], NAIVE_MARGIN)}"
                for begin, end in _recent(source, bounds)
            )
        if source.created_timestamp is not None:
            created = source.created_timestamp
            if not _comparable(physical.get(created, "")):
                recent = "true"
            else:
                late = _bound(bounds.known_after, physical[created], -NAIVE_MARGIN)
                recent = f"{recent} OR {quoted(created)} > {late}"
        kept = f"{kept} AND ({recent})"
    return f" WHERE ({kept}) OR {column} IS NULL"


def _end(bounds: Bounds) -> int:
    """Only rows with ts < this are needed."""
    return bounds.until if bounds.before is None else min(bounds.until, bounds.before)


def _comparable(physical: str) -> bool:
    return logical_type(physical) == "timestamp"


def _bound(instant: int, physical: str, margin: int) -> str:
    """A literal of the column's own type: a cast of the column would hide it from the files' statistics.

    Where local time has to be read first, it is `margin` µs off.
    """
    kind = physical if physical.endswith("_NS") else ""
    zoned = physical in ZONED
    return timestamp_literal(instant if zoned else instant + margin, zoned=zoned, nanoseconds=kind)
