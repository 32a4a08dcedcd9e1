"""Writing what a preparation gives: sorted shards, distinct texts, quarantined rows."""

import hashlib
import os
import uuid
from pathlib import Path

from limner.language.scope import Scope
from limner.workers.sources.digests import Texts
from limner.workers.sources.identity import ATTRIBUTED, identity_of
from limner.workers.sources.load import Loaded, Tally
from limner.workers.sources.lookup import Join
from limner.workers.sources.request import PrepareRequest, written_texts
from limner.workers.sources.rows import needed
from limner.workers.sources.texts import written
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import literal, quoted


def output_of(request: PrepareRequest, columns: Scope, rows: Loaded, joins: list[Join]) -> str:
    """A SELECT of the rows with all that is written or sorted by, and texts as `__text.<digest column>`."""
    sql = {name: f"m.{quoted(name)}" for name in columns.own}
    for join in joins:
        sql.update(join.columns)
    carried = (*request.join_keys, *rows.order_columns, "__ts", "__known", "__shard")
    picked = {name: sql[name] for name in request.columns} | {name: f"m.{quoted(name)}" for name in carried}
    attributed = ""
    if identity_of(request) is not None:
        attributed = f" JOIN {ATTRIBUTED} a ON a.r = m.rowid"
        picked |= {name: f"a.{quoted(name)}" for name in (*request.join_keys, "__known", "__until", "__shard")}
    for name, text in written_texts(request).items():
        picked["__text." + name] = written(text.template, sql, columns.joined)
    picks = ", ".join(f"{value} AS {quoted(name)}" for name, value in picked.items())
    return f"SELECT {picks} FROM __rows m{attributed}{''.join(join.sql for join in joins)}"


def count_unmatched(bench: Workbench, joins: list[Join], tally: Tally) -> None:
    """Count the new rows that a lookup found nothing for."""
    for join in joins:
        sql = f"SELECT count(*) FROM __rows m{join.sql} WHERE m.__new AND {join.missed}"
        missed = bench.count(sql)
        if missed:
            tally.unmatched[join.dimension] = missed


def write_shard(
    request: PrepareRequest, bench: Workbench, rows: Loaded, output: str, texts: Texts, number: int
) -> tuple[Path, int]:
    """Sort and write one shard; its memory is bounded by its rows, and spills."""
    shared = identity_of(request) is not None
    selected = f"{output} WHERE {'a' if shared else 'm'}.__shard = {number}"
    made = written_texts(request)
    selected = texts.add(selected) if made else f"({selected})"
    until = ("__until",) if shared else ()
    names = dict.fromkeys((*request.join_keys, *request.columns, *made, "__ts", "__known", *until))
    # a row may be somebody's twice: then it is there twice
    order = [quoted(key) for key in request.join_keys] + list(rows.order) + ["__known"] * shared
    file = request.stage / f"shard-{number:04d}.parquet"
    count = bench.count(
        f"COPY (SELECT {', '.join(map(quoted, names))} FROM {selected} ORDER BY {', '.join(order)}) "
        f"TO {literal(str(file))} (FORMAT parquet, COMPRESSION lz4)"
    )
    return file, count


def write_quarantine(request: PrepareRequest, bench: Workbench, tally: Tally) -> Path | None:
    """Write the rows set aside to <data>/quarantine/<source>/<run id>-<request>.parquet, whole or not at all."""
    if not tally.quarantine:
        return None
    # one run may prepare a source for several views, whose rows fail for different reasons: each has its file
    columns = sorted(needed(request))
    asked = repr((request.join_keys, columns, request.lower, request.known_after, request.until))
    folder = (request.data or request.root / "data") / "quarantine" / request.source
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
