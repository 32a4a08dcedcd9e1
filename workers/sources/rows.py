"""The clean rows of the source a view reads, in a table of one connection."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.scope import Scope, scope
from limner.workers.sources.cleaning import Cleaning
from limner.workers.sources.duck import connection
from limner.workers.sources.identity import attribute, changed, identity_of, key_types, load_owners
from limner.workers.sources.instants import Instants
from limner.workers.sources.load import Loaded, Tally, load
from limner.workers.sources.request import PrepareRequest, written_texts
from limner.workers.sources.scan import Bounds, Scan, open_scan
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import quoted


@contextmanager
def workbench(request: PrepareRequest) -> Iterator[tuple[Workbench, Path]]:
    """A connection whose scratch files live in a folder of their own below the stage, and go with it."""
    work = request.stage / f"work-{uuid.uuid4().hex}"
    work.mkdir(parents=True)
    try:
        with connection(work, request.memory_limit, request.threads) as database:
            yield Workbench(database, Instants(database)), work
    finally:
        shutil.rmtree(work, ignore_errors=True)


class Lasting:
    """A connection that many small preparations use, one after the other: to open one takes longer than they do."""

    def __init__(self, folder: Path, memory_limit: str = "1GB") -> None:
        """Scratch files are in `folder`."""
        self.folder = folder
        self._opened = connection(folder, memory_limit, threads=1)
        database = self._opened.__enter__()
        database.execute("SET GLOBAL enable_external_file_cache = false")  # a file of one name is another one each time
        self.bench = Workbench(database, Instants(database))

    def close(self) -> None:
        """Close it."""
        self._opened.__exit__(None, None, None)

    @contextmanager
    def within(self) -> Iterator[tuple[Workbench, Path]]:
        """The connection. What is made within is gone afterwards."""
        import duckdb

        bench, before = self.bench, self.bench.functions
        try:
            yield bench, self.folder
        finally:
            tables = bench.rows("SELECT table_name FROM duckdb_tables() WHERE NOT internal")
            for (name,) in tables:
                bench.run(f"DROP TABLE {quoted(name)}")
            for number in range(before + 1, bench.functions + 1):
                with suppress(duckdb.InvalidInputException):  # some names are of tables
                    bench.database.remove_function(f"limner_f{number}")


def load_rows(
    request: PrepareRequest,
    bench: Workbench,
    work: Path,
    bounds: Bounds,
    columns: Scope,
    tally: Tally,
    *,
    only: str = "",
) -> Loaded:
    """Fill the table `__rows` with the clean rows that the bounds hold; `only`: a predicate over clean columns.

    Where an identity map says whose they are, `__attributed` says when; rows whose id came to somebody after the
    bounds' `known_after` are then needed however old they are.
    """
    source = request.specs.sources[request.source]
    if source.event_timestamp is None and source.since is None:
        raise LimnerError(
            f"source {request.source!r} says neither event_timestamp nor since: it can be looked up, but no view can "
            "read it; add one"
        )
    own = _own(request, columns)
    identity, also = identity_of(request), ""
    if identity is not None:
        load_owners(request, identity, bench, work, bounds, tally)
        also = changed(identity, bench, bounds.known_after) if bounds.lower is not None else ""
    loaded = load(
        bench,
        open_scan(
            bench,
            source,
            request.root,
            work,
            replace(bounds, lower=None) if also else bounds,
            request.raw[request.source],
        ),
        "__rows",
        types=columns.own,
        wanted=own,
        keys=_own_keys(request, columns),
        bounds=bounds,
        total_order=request.total_order,
        timed=True,
        tally=tally,
        extra="" if identity is not None else f", {shard_of(request)} AS __shard",
        only=only,
        also=also,
    )
    if identity is not None:
        attribute(identity, bench, loaded.table, shard_of(request), request.join_keys)
    return loaded


def cleaning_of(request: PrepareRequest, bench: Workbench, scan: Scan, bounds: Bounds) -> Cleaning:
    """The cleaning of the rows that `load_rows` fills its table with, duplicates among them."""
    columns = scope(request.specs, request.source, request.raw)
    return Cleaning(scan, columns.own, _own(request, columns), _own_keys(request, columns), bounds, bench, timed=True)


def _own(request: PrepareRequest, columns: Scope) -> set[str]:
    """The source's own columns that are asked for, written into texts, looked up by or ids."""
    source, identity = request.specs.sources[request.source], identity_of(request)
    own = {name for name in needed(request) if name in columns.own}
    own |= {ours for dimension in source.lookup for ours, _ in source.lookup_pairs(dimension)}
    return own if identity is None else own | {ours for ours, _ in identity.pairs}


def _own_keys(request: PrepareRequest, columns: Scope) -> list[str]:
    return [key for key in request.join_keys if key in columns.own]


def needed(request: PrepareRequest) -> set[str]:
    """Cleaned columns that are asked for, or written into texts."""
    written = {name for text in written_texts(request).values() for name in text.template.columns}
    return {*request.columns, *written}


def shard_of(request: PrepareRequest) -> str:
    """An expression of a row's shard."""
    if not request.join_keys:
        return "0"  # rows of nobody in particular
    types = key_types(request)
    whole = all(types[key] == "int" for key in request.join_keys)
    return shard_of_keys(request.join_keys, whole, request.shards)


def shard_of_keys(keys: tuple[str, ...], whole: bool, shards: int) -> str:
    """An expression of an entity's shard, by its join keys alone (`whole`: all of them are whole numbers).

    It is the same in every interval and for every source, whatever DuckDB's own hash is.
    """
    if len(keys) == 1 and whole:
        prime = 2_147_483_647
        number = f"(({quoted(keys[0])} % {prime} + {prime}) % {prime} * 48271 % {prime})"
    else:
        number = f"md5_number_lower(concat_ws(chr(31), {', '.join(map(quoted, keys))}))"
    return f"({number} % {shards})::INTEGER"
