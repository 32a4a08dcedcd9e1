"""From a source to sorted shards of clean rows, in bounded memory: read, clean, look up, write texts, sort, shard."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from limner.language.errors import LimnerError
from limner.language.models import LogicalType
from limner.language.repo import Specs
from limner.language.scope import ALIASES, Scope, scope
from limner.language.template import Template
from limner.workers.sources.cleaning import Workbench
from limner.workers.sources.duck import connection, literal, quoted, reading
from limner.workers.sources.instants import Instants
from limner.workers.sources.load import Loaded, Tally, load
from limner.workers.sources.lookup import Enrichment, Join
from limner.workers.sources.scan import Bounds, open_scan
from limner.workers.sources.texts import digest, rendered

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class PrepareRequest:
    """Which rows of which source, for whom. Instants are µs since 1970 UTC.

    `columns`: cleaned columns needed; `raw`: raw schemas by source name; `texts`: digest column -> (template, encoder's
    prefix). Rows are needed where known <= until and (ts >= lower, None for all, or known > known_after).
    `total_order`: sort rows that tie by all raw columns too. `stage`: an empty folder to write to.
    """

    specs: Specs
    source: str
    join_keys: tuple[str, ...]
    columns: tuple[str, ...]
    raw: Mapping[str, Mapping[str, LogicalType]]
    texts: Mapping[str, tuple[Template, str]]
    lower: int | None
    known_after: int
    until: int
    total_order: bool
    shards: int
    root: Path
    stage: Path
    run_id: str
    memory_limit: str = "1GB"
    threads: int | None = None


@dataclass(frozen=True)
class Prepared:
    """What was staged.

    `shards`: a Parquet file each, with join keys, columns, digests (binary of 16 bytes or null), `__ts` and `__known`
    (int64 µs), sorted by join keys and canonical order. `texts`: by digest column, a Parquet file of distinct
    (digest, text with prefix). Rows read and kept are all that the bounds hold; dropped, quarantined (reason -> rows) and
    unmatched (lookup -> rows) count only rows that became known after `known_after`, or whose time is unknown.
    """

    shards: tuple[Path, ...]
    texts: Mapping[str, Path]
    rows_read: int
    rows_kept: int
    dropped: Mapping[str, int] = field(default_factory=dict)
    quarantined: Mapping[str, int] = field(default_factory=dict)
    quarantine_file: Path | None = None
    unmatched: Mapping[str, int] = field(default_factory=dict)


def prepare(request: PrepareRequest) -> Prepared:
    """Read, clean and stage the rows of one source. Raises LimnerError where it cannot be read."""
    with _workbench(request) as (bench, work):
        tally = Tally()
        bounds = Bounds(request.lower, request.known_after, request.until)
        columns = scope(request.specs, request.source, request.raw)
        rows = _load(request, bench, work, bounds, columns, tally)
        with reading(request.source, "joining, sorting and staging its rows"):
            joins = _joins(request, bench, work, bounds, columns, tally)
            _assemble(request, bench, columns, rows, joins)
            _count_unmatched(bench, joins, tally)
            shards = tuple(_write_shard(request, bench, rows, number) for number in range(request.shards))
            texts = {name: _write_texts(request, bench, name) for name in request.texts}
            kept = bench.database.execute("SELECT count(*) FROM __staged").fetchone()
            file = _write_quarantine(request, bench, tally)
        return Prepared(
            shards=shards,
            texts=texts,
            rows_read=tally.read,
            rows_kept=int(kept[0]) if kept else 0,
            dropped=tally.dropped,
            quarantined=tally.quarantined,
            quarantine_file=file,
            unmatched=tally.unmatched,
        )


def seen_before(request: PrepareRequest, keys: "pa.Table", before: int) -> "pa.Table":
    """Of `keys` (join key columns), those of which a clean row has ts < request.lower and known <= before (µs)."""
    if request.lower is None or keys.num_rows == 0:
        return keys.slice(0, 0)
    with _workbench(request) as (bench, work):
        bounds = Bounds(None, before, before)
        columns = scope(request.specs, request.source, request.raw)
        _load(request, bench, work, bounds, columns, Tally(), wanted=False)
        bench.database.register("__keys", keys)
        same = " AND ".join(f"k.{quoted(key)} = m.{quoted(key)}" for key in request.join_keys)
        with reading(request.source, "looking for entities seen before"):
            return bench.database.sql(
                f"SELECT k.* FROM __keys k SEMI JOIN (SELECT * FROM __rows WHERE __ts < {request.lower}) m ON {same}"
            ).to_arrow_table()


@contextmanager
def _workbench(request: PrepareRequest) -> Iterator[tuple[Workbench, Path]]:
    """A connection whose scratch files live in a folder of their own below the stage, and go with it."""
    work = request.stage / f"work-{uuid.uuid4().hex}"
    work.mkdir(parents=True)
    try:
        with connection(work, request.memory_limit, request.threads) as database:
            yield Workbench(database, Instants(database)), work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _load(
    request: PrepareRequest,
    bench: Workbench,
    work: Path,
    bounds: Bounds,
    columns: Scope,
    tally: Tally,
    *,
    wanted: bool = True,
) -> Loaded:
    source = request.specs.sources[request.source]
    if source.event_timestamp is None and source.since is None:
        raise LimnerError(
            f"source {request.source!r} says neither event_timestamp nor since: it can be looked up, but no view can read it; add one"
        )
    names = _needed(request) if wanted else set()
    own = {name for name in names if name in columns.own}
    own |= {ours for dimension in source.lookup for ours, _ in source.lookup_pairs(dimension)} if wanted else set()
    _check_keys(request, columns)
    return load(
        bench,
        open_scan(bench.database, source, request.root, work, bounds),
        "__rows",
        types=columns.own,
        wanted=own,
        keys=request.join_keys,
        bounds=bounds,
        total_order=request.total_order,
        timed=True,
        tally=tally,
    )


def _needed(request: PrepareRequest) -> set[str]:
    written = {name for template, _ in request.texts.values() for name in template.columns}
    return {*request.columns, *written}


def _check_keys(request: PrepareRequest, columns: Scope) -> None:
    for key in request.join_keys:
        if key not in columns.own:
            raise LimnerError(
                f"source {request.source!r} has no column {key!r}, the join key; it has: {', '.join(columns.own)}"
            )


def _joins(
    request: PrepareRequest, bench: Workbench, work: Path, bounds: Bounds, columns: Scope, tally: Tally
) -> list[Join]:
    """Load the dimensions that bring a needed column."""
    missing = sorted(_needed(request) - columns.own.keys())
    enrichment = Enrichment(bench, request.specs, request.raw, request.root, work, bounds, "__rows", tally)
    joins = []
    for number, dimension in enumerate(request.specs.sources[request.source].lookup):
        theirs = scope(request.specs, dimension, request.raw).own
        found = [name for name in missing if name in theirs and name not in ALIASES]
        missing = [name for name in missing if name not in found]
        if found:
            joins.append(enrichment.join(request.source, dimension, found, number))
    if missing:
        raise LimnerError(
            f"source {request.source!r} and its lookups have no column {missing[0]!r}; there are: {', '.join(sorted(columns.joined))}"
        )
    return joins


def _assemble(request: PrepareRequest, bench: Workbench, columns: Scope, rows: Loaded, joins: list[Join]) -> None:
    """Fill `__staged`: the rows with all that is written or sorted by, their texts and their shard."""
    sql = {name: f"m.{quoted(name)}" for name in columns.own}
    for join in joins:
        sql.update(join.columns)
    carried = [name for name in rows.order_columns if name not in sql or name in columns.own]
    own = {name: f"m.{quoted(name)}" for name in (*request.join_keys, *carried, "__ts", "__known")}
    picks = [f"{value} AS {quoted(name)}" for name, value in {**{n: sql[n] for n in request.columns}, **own}.items()]
    shard = shard_of([f"m.{quoted(key)}" for key in request.join_keys], request.shards)
    picks.append(f"{shard} AS __shard")
    picks += [f"({join.missed}) AND m.__new AS __missed_{number}" for number, join in enumerate(joins)]
    for name, (template, prefix) in request.texts.items():
        text = rendered(template, sql, columns.joined)
        picks.append(f"{literal(prefix)} || {text} AS {quoted('__text.' + name)}")
    digests = "".join(f", {digest(quoted('__text.' + name))} AS {quoted(name)}" for name in request.texts)
    joined = "".join(join.sql for join in joins)
    bench.database.execute(
        f"CREATE TABLE __staged AS SELECT *{digests} FROM (SELECT {', '.join(picks)} FROM __rows m{joined})"
    )
    bench.database.execute("DROP TABLE __rows")


def shard_of(keys: list[str], shards: int) -> str:
    """The shard of a row: stable whatever DuckDB's own hash is, and the same for every interval."""
    text = f"{keys[0]}::VARCHAR" if len(keys) == 1 else f"concat_ws(chr(31), {', '.join(keys)})"
    return f"(md5_number_lower({text}) % {shards})::INTEGER"


def _count_unmatched(bench: Workbench, joins: list[Join], tally: Tally) -> None:
    for number, join in enumerate(joins):
        missed = bench.database.execute(f"SELECT count(*) FROM __staged WHERE __missed_{number}").fetchone()
        if missed and missed[0]:
            tally.unmatched[join.dimension] = int(missed[0])


def _write_shard(request: PrepareRequest, bench: Workbench, rows: Loaded, number: int) -> Path:
    names = dict.fromkeys((*request.join_keys, *request.columns, *request.texts, "__ts", "__known"))
    order = [quoted(key) for key in request.join_keys] + list(rows.order)
    file = request.stage / f"shard-{number:04d}.parquet"
    bench.database.execute(
        f"COPY (SELECT {', '.join(map(quoted, names))} FROM __staged WHERE __shard = {number} ORDER BY {', '.join(order)}) "
        f"TO {literal(str(file))} (FORMAT parquet, COMPRESSION lz4)"
    )
    return file


def _write_texts(request: PrepareRequest, bench: Workbench, name: str) -> Path:
    number = list(request.texts).index(name)
    file = request.stage / f"texts-{number:04d}.parquet"
    bench.database.execute(
        f"COPY (SELECT {quoted(name)} AS digest, any_value({quoted('__text.' + name)}) AS text FROM __staged "
        f"WHERE {quoted(name)} IS NOT NULL GROUP BY 1) TO {literal(str(file))} (FORMAT parquet, COMPRESSION lz4)"
    )
    return file


def _write_quarantine(request: PrepareRequest, bench: Workbench, tally: Tally) -> Path | None:
    """Write the rows set aside to data/quarantine/<source>/<run id>-<request>.parquet, whole or not at all."""
    if not tally.quarantine:
        return None
    # one run may prepare a source for several views, whose rows fail for different reasons: each has its file
    asked = repr((request.join_keys, request.columns, request.lower, request.known_after, request.until))
    folder = request.root / "data" / "quarantine" / request.source
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{request.run_id}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}.parquet"
    partial = folder / f".{file.name}.{uuid.uuid4().hex}"
    union = " UNION ALL BY NAME ".join(f"SELECT * FROM {table}" for table in tally.quarantine)
    try:
        bench.database.execute(f"COPY ({union}) TO {literal(str(partial))} (FORMAT parquet, COMPRESSION zstd)")
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    return file
