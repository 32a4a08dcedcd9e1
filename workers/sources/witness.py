"""Whether a source is what an earlier run saw: only then may the next one leave old rows unread.

Rows that the earlier run knew must still be there, unchanged, and no others. A file of the same name, size and time of
modification holds the same rows. Where files are new, none of their rows may have been known then; where files changed
or are gone, the rows known then are counted and their hashes added up, whatever files they are in.
"""

from collections.abc import Collection
from pathlib import Path

from limner.workers.sources.evidence import Evidence, Rows
from limner.workers.sources.inputs import identities, inputs_fingerprint
from limner.workers.sources.request import PrepareRequest
from limner.workers.sources.rows import cleaning_of, shard_of
from limner.workers.sources.scan import Bounds, Scan, open_scan
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import literal, quoted


def look(request: PrepareRequest, bench: Workbench, work: Path) -> tuple[Evidence, str]:
    """What is there, its rows not counted; and why the rows known at `request.before.at` may not be those that were
    there then: "" where they surely are.
    """
    source = request.specs.sources[request.source]
    at = request.until if request.before is None else request.before.at
    bounds = Bounds(None, at, at)
    scan = open_scan(bench, source, request.root, work, bounds, request.raw[request.source])
    others = sorted(source.others)
    now = Evidence(
        at=at,
        files=identities(source, request.root),
        read_as={**scan.physical, **{f"as {name}": kind for name, kind in request.raw[request.source].items()}},
        others=(inputs_fingerprint(request.specs, others, request.root) or "a table") if others else "",
    )
    return now, "" if request.before is None else _difference(request, bench, work, scan, bounds, now)


def _difference(
    request: PrepareRequest, bench: Workbench, work: Path, scan: Scan, bounds: Bounds, now: Evidence
) -> str:
    before, name = request.before, request.source
    assert before is not None
    if now.others != before.others:
        return f"what {name} looks up has changed"
    if now.read_as != before.read_as:
        return f"{name} has other columns, or columns of other types"
    if before.files.items() - now.files.items():
        if before.rows is None:
            return f"files of {name} have changed or are gone"
        same = _rows(request, bench, scan, bounds) == before.rows
        return "" if same else f"{name} has other rows of the time before than the last run knew"
    new = {request.root / file for file, _ in now.files.items() - before.files.items()}
    if new:
        source = request.specs.sources[name]
        scan = open_scan(bench, source, request.root, work, bounds, request.raw[name], only=new)
        if _rows(request, bench, scan, bounds).count:
            return f"new files of {name} have rows of the time before"
    return ""


def _rows(request: PrepareRequest, bench: Workbench, scan: Scan, bounds: Bounds) -> Rows:
    """The clean rows that the bounds hold."""
    cleaning = cleaning_of(request, bench, scan, bounds)
    with scan.reading("looking for rows that have changed"):
        return rows_in(bench, f"({cleaning.query(raw=False)})", cleaning.columns, "__fate IS NULL")


def older_rows(request: PrepareRequest, bench: Workbench, work: Path) -> tuple[Rows, tuple[Path, ...]]:
    """The rows known by `request.known_after` that lie before `request.lower`, and a Parquet file a shard with their
    join keys, each once.
    """
    bounds = Bounds(None, request.known_after, request.known_after, before=request.lower)
    source = request.specs.sources[request.source]
    scan = open_scan(bench, source, request.root, work, bounds, request.raw[request.source])
    cleaning = cleaning_of(request, bench, scan, bounds)
    keys = ", ".join(map(quoted, request.join_keys))
    with scan.reading("looking at earlier rows"):
        bench.run(
            f"CREATE TABLE __older AS SELECT {keys}, {shard_of(request)} AS __shard, count(*) AS n, "
            f"sum({_hash(cleaning.columns)}) AS h FROM ({cleaning.query(raw=False)}) WHERE __fate IS NULL GROUP BY ALL"
        )
    files = tuple(request.stage / f"known-{number:04d}.parquet" for number in range(request.shards))
    for number, file in enumerate(files):
        few = f"SELECT {keys} FROM __older WHERE __shard = {number} ORDER BY ALL"
        bench.run(f"COPY ({few}) TO {literal(str(file))} (FORMAT parquet, COMPRESSION lz4)")
    ((count, hashes),) = bench.rows("SELECT coalesce(sum(n), 0), coalesce(sum(h), 0) FROM __older")
    return _found(count, hashes), files


def rows_in(bench: Workbench, table: str, columns: Collection[str], where: str) -> Rows:
    """The rows of a table of clean rows where a predicate holds, by these columns and their times."""
    ((count, hashes),) = bench.rows(f"SELECT count(*), coalesce(sum({_hash(columns)}), 0) FROM {table} WHERE {where}")
    return _found(count, hashes)


def _hash(columns: Collection[str]) -> str:
    listed = ", ".join(map(quoted, (*sorted(columns), "__ts", "__known")))
    return f"hash({listed})::HUGEINT"


def _found(count: int, hashes: int) -> Rows:
    import duckdb

    return Rows(count=int(count), hashes=int(hashes), by=duckdb.__version__)
