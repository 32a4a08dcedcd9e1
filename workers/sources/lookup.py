"""Enrichment: left joins of a source's rows with its dimension tables, as they were known when a row became known.

A dimension without event_timestamp has one row a key. One with: a row sees the newest dimension row of its key with
`ts <= row.ts` and `known <= row.known`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from limner.language.repo import Specs
from limner.language.scope import RawColumns, scope
from limner.workers.sources.load import Loaded, Tally, duplicates, load, set_aside
from limner.workers.sources.scan import Bounds, Scan, open_scan
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import literal, quoted


@dataclass(frozen=True)
class Join:
    """One lookup: SQL to append to `FROM rows`, and the columns it brings, by name, as SQL."""

    sql: str
    columns: dict[str, str]
    dimension: str
    missed: str  # a predicate of the rows that found nothing


@dataclass(frozen=True)
class Enrichment:
    """What every lookup of one source needs: `rows` is the table of its clean rows."""

    bench: Workbench
    specs: Specs
    raw: RawColumns
    root: Path
    stage: Path
    bounds: Bounds
    rows: str
    tally: Tally

    def join(self, source: str, dimension: str, wanted: Collection[str], number: int) -> Join:
        """Load one dimension and say how to join it."""
        model = self.specs.sources[dimension]
        pairs = self.specs.sources[source].lookup_pairs(dimension)
        theirs = [column for _, column in pairs]
        timed = model.event_timestamp is not None
        bounds = Bounds(None, self.bounds.known_after, self.bounds.until)
        scan = open_scan(self.bench, model, self.root, self.stage, bounds, self.raw[dimension])
        table = f"__dimension_{number}"
        loaded = load(
            self.bench,
            scan,
            table,
            types=scope(self.specs, dimension, self.raw).own,
            wanted=wanted,
            keys=theirs,
            bounds=bounds,
            total_order=True,
            timed=timed,
            tally=self.tally,
            label=f"lookup {dimension}: ",
        )
        alias = f"l{number}"
        columns = {column: f"{alias}.{quoted(column)}" for column in wanted}
        if timed:
            self._find(loaded, pairs, f"__found_{number}")
            found = f" LEFT JOIN __found_{number} f{number} ON f{number}.r = m.rowid"
            sql = f"{found} LEFT JOIN {table} {alias} ON {alias}.__n = f{number}.n"
            return Join(sql, columns, dimension, f"f{number}.n IS NULL")
        self._once(loaded, scan, theirs, dimension)
        same = " AND ".join(f"m.{quoted(own)} = {alias}.{quoted(column)}" for own, column in pairs)
        return Join(f" LEFT JOIN {table} {alias} ON {same}", columns, dimension, f"{alias}.{quoted(theirs[0])} IS NULL")

    def _once(self, loaded: Loaded, scan: Scan, keys: list[str], dimension: str) -> None:
        """Keep the first row of each key in canonical order; the others go to quarantine."""
        losers = duplicates(self.bench, loaded.table, keys, loaded.order)
        count = self.bench.count("SELECT count(*) FROM __losers")
        if not count:
            return
        reason = f"another row has the same {', '.join(keys)}"
        set_aside(
            self.bench,
            f"SELECT * FROM {loaded.table} WHERE {losers}",
            scan,
            literal(reason),
            self.tally,
        )
        self.tally.quarantined[f"lookup {dimension}: {reason}"] = count
        self.bench.run(f"DELETE FROM {loaded.table} WHERE {losers}")

    def _number(self, loaded: Loaded, keys: str) -> None:
        """Number the dimension's rows in canonical order, and mark those that a newer row of their key overtook.

        The newest of several rows is the one with the greatest number; `__overtaken`: a newer row was known earlier.
        """
        newer = f"OVER (PARTITION BY {keys} ORDER BY __n ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)"
        self.bench.run(
            f"CREATE OR REPLACE TABLE {loaded.table} AS "
            f"SELECT *, coalesce(__known > min(__known) {newer}, false) AS __overtaken FROM "
            f"(SELECT *, row_number() OVER (ORDER BY {', '.join(loaded.order)}) AS __n FROM {loaded.table})"
        )

    def _find(self, loaded: Loaded, pairs: tuple[tuple[str, str], ...], found: str) -> None:
        """Fill `found` with (r, n): for each row the number of its dimension row, null where there is none.

        Rows that none overtook become known in the order of their times. So the newest with ts <= row.ts and the newest
        with known <= row.known are two as-of joins, and the older of both is the answer. Overtaken rows are few:
        they are compared with each row.
        """
        same = " AND ".join(f"m.{quoted(own)} = d.{quoted(column)}" for own, column in pairs)
        keys = ", ".join(quoted(column) for _, column in pairs)
        self._number(loaded, keys)
        for time in ("__ts", "__known"):
            newest = f"SELECT {keys}, {time}, max(__n) AS __n FROM {loaded.table} WHERE NOT __overtaken GROUP BY ALL"
            self.bench.run(
                f"CREATE OR REPLACE TABLE __by{time} AS SELECT m.rowid AS r, d.__n AS n FROM {self.rows} m "
                f"ASOF LEFT JOIN ({newest}) d ON {same} AND m.{time} >= d.{time}"
            )
        both = "CASE WHEN t.n IS NOT NULL AND k.n IS NOT NULL THEN least(t.n, k.n) END"
        self.bench.run(f"CREATE TABLE {found} AS SELECT r, {both} AS n FROM __by__ts t JOIN __by__known k USING (r)")
        if not self.bench.count(f"SELECT count(*) FROM {loaded.table} WHERE __overtaken"):
            return
        self.bench.run(
            f"CREATE OR REPLACE TABLE {found} AS SELECT r, max(n) AS n FROM (SELECT r, n FROM {found} UNION ALL "
            f"SELECT m.rowid, max(d.__n) FROM {self.rows} m JOIN {loaded.table} d ON {same} AND d.__overtaken "
            "AND d.__ts <= m.__ts AND d.__known <= m.__known GROUP BY m.rowid) GROUP BY r"
        )
