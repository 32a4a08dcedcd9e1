"""Whether history rows are those that another computation of the same time gives."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.workers.differences import Differences, Example
from limner.workers.history.manifest import STREAM, History, Part, Segment
from limner.workers.history.relation import visible_sql
from limner.workers.sources.duck import connection
from limner.workers.sql import quoted
from limner.workers.windows.entities import TIME

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_AT = "event_timestamp"


def streamed_parts(history: History, segment: Segment) -> tuple[list[Part], list[Part]]:
    """What a stream worker wrote of the time of a segment that is to be visible, and the segment's own rows of it."""
    worker, run = [], []
    for old in history.manifest().segments:
        after, until = max(old.after, segment.after), min(old.until, segment.until)
        if old.inputs == STREAM and after < until:
            worker += [Part(history.folder / file, after, until) for file in old.files]
            run += [Part(history.folder / file, after, until) for file in segment.files]
    return worker, run


def compare_rows(
    found: Sequence[Part],
    right: Sequence[Part],
    join_keys: Sequence[str],
    features: Sequence[str],
    spill: Path,
    memory_limit: str,
) -> Differences:
    """Compare rows by entity and instant; only `right` has those that are `missing`, only `found` the `strange` ones.

    Values are compared by their hashes (64 bits), so that memory does not depend on how wide they are. `spill` is a
    folder for what does not fit into `memory_limit`.
    """
    if not found and not right:
        return Differences()
    keys = [quoted(key) for key in join_keys]
    unlike = [f"(f.h{place} IS DISTINCT FROM r.h{place}) AS d{place}" for place in range(len(features))]
    differs = " OR ".join(["missing", "strange", *(f"d{place}" for place in range(len(features)))])
    with connection(spill, memory_limit) as database:
        hashes = [f"hash({quoted(each)}) AS h{place}" for place, each in enumerate(features)]
        columns = ", ".join((*keys, f"epoch_us({_AT}) AS {TIME}", *hashes, "true AS there"))
        nothing = f"{visible_sql([*found, *right][:1], columns)} AND false"
        for name, parts in (("found", found), ("right", right)):
            database.execute(f'CREATE TABLE "{name}" AS {visible_sql(parts, columns) if parts else nothing}')
        both = ", ".join((*keys, TIME, *unlike, "f.there IS NULL AS missing", "r.there IS NULL AS strange"))
        joined = f'SELECT {both} FROM "found" f FULL JOIN "right" r USING ({", ".join((*keys, TIME))})'
        database.execute(f"CREATE TABLE different AS SELECT * FROM ({joined}) WHERE {differs}")
        return _told(database, found, right, join_keys, features)


def _told(
    database: "DuckDBPyConnection",
    found: Sequence[Part],
    right: Sequence[Part],
    join_keys: Sequence[str],
    features: Sequence[str],
) -> Differences:
    keys = ", ".join(map(quoted, join_keys))
    (compared,) = _row(database, 'SELECT count(*) FROM "found"')
    rows, missing, strange = _row(
        database, "SELECT count(*), count(*) FILTER (missing), count(*) FILTER (strange) FROM different"
    )
    made = Differences(compared=compared, rows=rows, missing=missing, strange=strange)
    if not rows:
        return made
    (made.entities,) = _row(database, f"SELECT count(*) FROM (SELECT DISTINCT {keys} FROM different)")
    kinds = {each: f"d{place} AND NOT missing AND NOT strange" for place, each in enumerate(features)}
    for name, test in (*kinds.items(), ("missing", "missing"), ("strange", "strange")):
        (count,) = _row(database, f"SELECT count(*) FROM different WHERE {test}")
        if not count:
            continue
        if name in kinds:
            made.features[name] = count
        first = _row(database, f"SELECT {keys}, {TIME} FROM different WHERE {test} ORDER BY {TIME}, {keys} LIMIT 1")
        entity, at = dict(zip(join_keys, first[:-1], strict=True)), first[-1]
        wanted = [name] if name in kinds else list(features)
        values = [_value(database, parts, entity, at, wanted, one=name in kinds) for parts in (found, right)]
        made.examples[name] = Example(entity, at, *values)
    return made


def _value(
    database: "DuckDBPyConnection",
    parts: Sequence[Part],
    entity: Mapping[str, Any],
    at: int,
    features: Sequence[str],
    *,
    one: bool,
) -> Any:
    """The row of an entity at an instant (its one feature): None where there is none."""
    if not parts:
        return None
    where = " AND ".join(f"{quoted(key)} = ?" for key in entity)
    columns = ", ".join(map(quoted, features)) or "1"
    sql = f"SELECT {columns} FROM ({visible_sql(parts)}) WHERE {where} AND epoch_us({_AT}) = ?"
    row = database.execute(sql, [*entity.values(), at]).fetchone()
    if row is None:
        return None
    return row[0] if one else dict(zip(features, row, strict=False))


def _row(database: "DuckDBPyConnection", sql: str) -> tuple[Any, ...]:
    row = database.execute(sql).fetchone()
    assert row is not None
    return tuple(row)
