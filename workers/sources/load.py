"""One source as a table of clean rows: cleaned, what was not kept counted and set aside, duplicates dropped."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from limner.language.models import LogicalType
from limner.workers.sources.cleaning import Cleaning, in_reach
from limner.workers.sources.scan import Bounds, Scan, duplicates_reach_back
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import literal, quoted


@dataclass
class Tally:
    """Rows by what became of them; only rows that are new to the bounds count as dropped or quarantined."""

    read: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    unmatched: dict[str, int] = field(default_factory=dict)
    files_read: int = 0
    files_left: int = 0
    quarantine: list[str] = field(default_factory=list)  # tables of quarantined rows, as text


@dataclass(frozen=True)
class Loaded:
    """A table of clean rows, the ORDER BY terms of their canonical order, and the columns those terms read.

    `columns` are those that the rows need.
    """

    table: str
    order: Sequence[str]
    order_columns: Sequence[str]
    columns: Sequence[str]


def load(
    bench: Workbench,
    scan: Scan,
    table: str,
    *,
    types: Mapping[str, LogicalType],
    wanted: Collection[str],
    keys: Collection[str],
    bounds: Bounds,
    total_order: bool,
    timed: bool,
    tally: Tally,
    label: str = "",
    extra: str = "",
    only: str = "",
    also: str = "",
) -> Loaded:
    """Fill `table` with the clean rows of `scan`. `timed`: a row without an event timestamp cannot be used.

    `label` goes before the reasons of another source's rows. Over the clean columns, `extra` is one more SELECT item,
    `only` a predicate of the rows to look at, `also` one (never null) of rows that are needed though the bounds do not
    reach them: the scan must then be of all rows.
    """
    source = scan.source
    back = duplicates_reach_back(source)
    whole = replace(bounds, lower=None) if back or also else bounds
    reach = f"({in_reach(bounds)} OR {also})" if also else in_reach(bounds)
    if also and not source.clean.drop_duplicates:
        # where there are duplicates, all rows are looked at: the first may be out of reach
        only = f"({only or 'true'}) AND (__known IS NULL OR {reach})"
    cleaning = Cleaning(scan, types, wanted, keys, whole, bench, timed)
    raw = total_order or bool(source.clean.drop_duplicates)
    if not label:
        tally.files_read = 0 if scan.files is None else len(scan.files)
        tally.files_left = scan.of_files - tally.files_read
    with scan.reading("reading and cleaning its rows"):
        where = f" WHERE {only}" if only else ""
        bench.run(f"CREATE TABLE {table} AS SELECT *{extra} FROM ({cleaning.query(raw=raw)}){where}")
        _settle(bench, cleaning, table, raw, tally, label)
        order = cleaning.order(raw=raw)
        if source.clean.drop_duplicates:
            losers = duplicates(bench, table, source.clean.drop_duplicates, order)
            _count(
                tally.dropped,
                f"{label}duplicate",
                bench.count(f"SELECT count(*) FROM {table} WHERE __new AND {losers}"),
            )
            bench.run(f"DELETE FROM {table} WHERE {losers}")
        if (back or also) and bounds.lower is not None:
            bench.run(f"DELETE FROM {table} WHERE NOT {reach}")
    read = sorted(cleaning.order_columns(raw=total_order))
    return Loaded(table, cleaning.order(raw=total_order), read, cleaning.columns)


def duplicates(bench: Workbench, table: str, keys: Sequence[str], order: Sequence[str]) -> str:
    """A predicate of the rows of `table` that are not the first known of their keys (null equals null)."""
    listed = ", ".join(quoted(key) for key in keys)
    # few rows have a twin: only those that may, by a hash, are sorted
    twins = f"SELECT hash({listed}) AS h FROM {table} GROUP BY h HAVING count(*) > 1"
    bench.run(
        "CREATE OR REPLACE TABLE __losers AS SELECT r FROM (SELECT rowid AS r, row_number() OVER ("
        f"PARTITION BY {listed} ORDER BY __known NULLS FIRST, {', '.join(order)}) AS n "
        f"FROM {table} WHERE hash({listed}) IN ({twins})) WHERE n > 1"
    )
    return "rowid IN (SELECT r FROM __losers)"


def set_aside(bench: Workbench, rows: str, scan: Scan, reason: str, tally: Tally) -> None:
    """Keep raw rows (a SELECT with `__raw.x` columns) for the quarantine file, as text with their `reason` (SQL)."""
    name = f"__quarantine_{len(tally.quarantine)}"
    taken = {"reason", "source"}
    raw = "".join(
        f", {quoted('__raw.' + column)}::VARCHAR AS {quoted('raw.' + column if column in taken else column)}"
        for column in scan.physical
    )
    bench.run(
        f"CREATE TABLE {name} AS SELECT {literal(scan.source.source)} AS source, {reason} AS reason{raw} FROM ({rows})"
    )
    tally.quarantine.append(name)


def _settle(bench: Workbench, cleaning: Cleaning, table: str, raw: bool, tally: Tally, label: str) -> None:
    """Count and remove the rows that have a fate; rows new in quarantine are set aside."""
    counts = bench.rows(f"SELECT __fate, __new, count(*) FROM {table} GROUP BY ALL ORDER BY __fate, __new")
    if not label:
        tally.read += sum(count for _, _, count in counts)
    if all(fate is None for fate, _, _ in counts):
        return
    bad = cleaning.fates.of("quarantine")
    for fate, new, count in counts:
        if fate is not None and new:
            into = tally.quarantined if fate in bad else tally.dropped
            _count(into, label + cleaning.fates.reasons[fate - 1][1], count)
    if any(new and fate in bad for fate, new, _ in counts):
        rows = table if raw else f"({cleaning.query(raw=True)})"
        numbers = ", ".join(map(str, bad))
        reason = " ".join(f"WHEN {number} THEN {literal(text)}" for number, text in bad.items())
        set_aside(
            bench,
            f"SELECT * FROM {rows} WHERE __new AND __fate IN ({numbers})",
            cleaning.scan,
            f"CASE __fate {reason} END",
            tally,
        )
    bench.run(f"DELETE FROM {table} WHERE __fate IS NOT NULL")


def _count(into: dict[str, int], reason: str, count: int) -> None:
    if count:
        into[reason] = into.get(reason, 0) + count
