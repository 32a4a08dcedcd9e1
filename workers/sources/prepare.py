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
from limner.workers.sources.duck import connection, literal, quoted, working
from limner.workers.sources.instants import Instants
from limner.workers.sources.load import Loaded, Tally, load
from limner.workers.sources.lookup import Enrichment, Join
from limner.workers.sources.scan import Bounds, open_scan
from limner.workers.sources.texts import register_texts, written

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
        with working(request.source, "joining, sorting and staging its rows"):
            joins = _joins(request, bench, work, bounds, columns, tally)
            _count_unmatched(bench, joins, tally)
            output = _output(request, columns, rows, joins)
            texts = _Texts(request, bench)
            shards = [_write_shard(request, bench, rows, output, texts, number) for number in range(request.shards)]
            text_files = texts.write()
            file = _write_quarantine(request, bench, tally)
        return Prepared(
            shards=tuple(path for path, _ in shards),
            texts=text_files,
            rows_read=tally.read,
            rows_kept=sum(count for _, count in shards),
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
        with working(request.source, "looking for entities seen before"):
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
        extra=shard_of(request, columns),
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


def _output(request: PrepareRequest, columns: Scope, rows: Loaded, joins: list[Join]) -> str:
    """A SELECT of the rows with all that is written or sorted by, and texts as `__text.<digest column>`."""
    sql = {name: f"m.{quoted(name)}" for name in columns.own}
    for join in joins:
        sql.update(join.columns)
    carried = (*request.join_keys, *rows.order_columns, "__ts", "__known", "__shard")
    picked = {name: sql[name] for name in request.columns} | {name: f"m.{quoted(name)}" for name in carried}
    for name, (template, _) in request.texts.items():
        picked["__text." + name] = written(template, sql, columns.joined)
    picks = ", ".join(f"{value} AS {quoted(name)}" for name, value in picked.items())
    return f"SELECT {picks} FROM __rows m{''.join(join.sql for join in joins)}"


def shard_of(request: PrepareRequest, columns: Scope) -> str:
    """A SELECT item, the shard of a row: the same in every interval, whatever DuckDB's own hash is."""
    keys = request.join_keys
    if len(keys) == 1 and columns.own[keys[0]] == "int":
        prime = 2_147_483_647
        number = f"(({quoted(keys[0])} % {prime} + {prime}) % {prime} * 48271 % {prime})"
    else:
        number = f"md5_number_lower(concat_ws(chr(31), {', '.join(map(quoted, keys))}))"
    return f"({number} % {request.shards})::INTEGER AS __shard"


def _count_unmatched(bench: Workbench, joins: list[Join], tally: Tally) -> None:
    for join in joins:
        sql = f"SELECT count(*) FROM __rows m{join.sql} WHERE m.__new AND {join.missed}"
        missed = bench.count(sql)
        if missed:
            tally.unmatched[join.dimension] = missed


class _Texts:
    """The digests of rows' texts, and the table of distinct texts they stand for."""

    def __init__(self, request: PrepareRequest, bench: Workbench) -> None:
        self._request = request
        self._bench = bench
        self._functions: dict[str, tuple[str, str]] = {}
        self._tables: dict[str, str] = {}
        for number, (name, (_, prefix)) in enumerate(request.texts.items()):
            self._functions[name] = (bench.name(), bench.name())
            self._tables[name] = f"__texts_{number}"
            register_texts(bench.database, prefix, *self._functions[name])
            bench.run(f"CREATE TABLE {self._tables[name]} (digest BLOB, text VARCHAR)")

    def add(self, output: str) -> str:
        """Put the texts of one shard's `output` on record; returns a table of the rows with their digests."""
        digests = [
            f"{functions[0]}({quoted('__text.' + name)}) AS {quoted(name)}"
            for name, functions in self._functions.items()
        ]
        self._bench.run(f"CREATE OR REPLACE TABLE __shard_rows AS SELECT *, {', '.join(digests)} FROM ({output})")
        for name, (_, finish) in self._functions.items():
            column = quoted(name)
            self._bench.run(
                f"INSERT INTO {self._tables[name]} SELECT digest, {finish}(text) FROM (SELECT {column} AS digest, "
                f"any_value({quoted('__text.' + name)}) AS text FROM __shard_rows WHERE {column} IS NOT NULL GROUP BY ALL)"
            )
        return "__shard_rows"

    def write(self) -> dict[str, Path]:
        """One file of distinct (digest, text) for each digest column."""
        files = {}
        for number, (name, table) in enumerate(self._tables.items()):
            files[name] = self._request.stage / f"texts-{number:04d}.parquet"
            self._bench.run(
                f"COPY (SELECT digest, any_value(text) AS text FROM {table} GROUP BY digest) "
                f"TO {literal(str(files[name]))} (FORMAT parquet, COMPRESSION lz4)"
            )
        return files


def _write_shard(
    request: PrepareRequest, bench: Workbench, rows: Loaded, output: str, texts: _Texts, number: int
) -> tuple[Path, int]:
    """Sort and write one shard; its memory is bounded by its rows, and spills."""
    selected = f"{output} WHERE m.__shard = {number}"
    selected = texts.add(selected) if request.texts else f"({selected})"
    names = dict.fromkeys((*request.join_keys, *request.columns, *request.texts, "__ts", "__known"))
    order = [quoted(key) for key in request.join_keys] + list(rows.order)
    file = request.stage / f"shard-{number:04d}.parquet"
    count = bench.count(
        f"COPY (SELECT {', '.join(map(quoted, names))} FROM {selected} ORDER BY {', '.join(order)}) "
        f"TO {literal(str(file))} (FORMAT parquet, COMPRESSION lz4)"
    )
    return file, count


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
        bench.run(f"COPY ({union}) TO {literal(str(partial))} (FORMAT parquet, COMPRESSION zstd)")
        os.replace(partial, file)
    finally:
        partial.unlink(missing_ok=True)
    return file
