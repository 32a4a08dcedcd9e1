"""The members of a view over views: their histories as rows, staged like those of a source.

A history row is known at its own instant, and holds until the entity's next one: the value of a member at an instant
is that of the newest row at or before it.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from limner.language.errors import LimnerError
from limner.language.members import below
from limner.language.models import FeatureView, Grid, KeyType
from limner.workers.arrow_types import ARROW
from limner.workers.history.manifest import History
from limner.workers.history.relation import visible_sql
from limner.workers.sources.duck import connection
from limner.workers.sources.request import Prepared
from limner.workers.sources.rows import shard_of_keys
from limner.workers.sql import literal, quoted
from limner.workers.windows.entities import KNOWN, TIME
from limner.workers.windows.timeline import tick_at_or_before


class ReplacedError(LimnerError):
    """A history was replaced while it was read."""


@dataclass(frozen=True)
class Member:
    """A view that another is made of: the history of exactly the definition that was applied."""

    view: str
    fingerprint: str
    folder: Path  # of that history


@dataclass(frozen=True)
class MemberRequest:
    """Which rows of a member's history: those that hold at `base` and those of (base, until], µs.

    `columns` are outputs of the member and their Arrow types; `stage` is the folder to write to.
    """

    member: Member
    join_keys: Mapping[str, KeyType]
    columns: Mapping[str, pa.DataType]
    base: int
    until: int
    shards: int
    stage: Path
    memory_limit: str


def beginnings(views: Mapping[str, FeatureView], name: str, start: int) -> dict[str, int]:
    """The instant (µs) from which each view below one must have values, for its own to begin at `start`.

    A view's first values are those of the last instant of its grid at or before the beginning of the interval.
    """
    first = {name: start}
    for view in (name, *reversed(below(views, name))):
        base = tick_at_or_before(views[view].grid, first[view])
        for member in views[view].views:
            first[member] = min(first.get(member, base), base)
    return {each: instant for each, instant in first.items() if each != name}


def inputs_of(members: Sequence[Member]) -> str:
    """sha256 (hex) of what the members' histories hold now."""
    found = sorted((each.view, each.fingerprint, History(each.folder).manifest().model_dump_json()) for each in members)
    return hashlib.sha256(repr(found).encode()).hexdigest()


def check_covered(members: Sequence[Member], view: str, grid: Grid, start: int, end: int) -> None:
    """LimnerError where a member's history does not say its values at the instants of (start, end] and at start."""
    first, last = tick_at_or_before(grid, start), tick_at_or_before(grid, end)
    lacking = []
    for member in members:
        coverage = History(member.folder).coverage()
        if coverage is None or coverage[0] > first or coverage[1] < last:
            there = "is not materialized as it is declared now"
            if coverage is not None:
                there = f"is materialized from {text_of(coverage[0])} to {text_of(coverage[1])}"
            lacking.append((member.view, f"{member.view} {there}"))
    if lacking:
        views = " ".join(f"--views {name}" for name, _ in lacking)
        raise LimnerError(
            f"{view} is made of other views, and needs their values from {text_of(first)} to {text_of(last)}, but "
            f"{'; '.join(text for _, text in lacking)}: run `feast materialize {text_of(first)} {text_of(end)} {views}`"
            ", then this again"
        )


def stage_member(request: MemberRequest) -> Prepared:
    """Write a member's rows to one Parquet file a shard, as `prepare` does with those of a source.

    ReplacedError where a run takes them away meanwhile.
    """
    import duckdb

    parts = History(request.member.folder).parts()
    if not parts:
        return _nothing(request)
    keys = ", ".join(map(quoted, request.join_keys))
    columns = ", ".join(map(quoted, (*request.join_keys, *request.columns)))
    shard = shard_of_keys(tuple(request.join_keys), set(request.join_keys.values()) == {"int"}, request.shards)
    at = f"{quoted('event_timestamp')}"
    work = request.stage / f"work-{uuid.uuid4().hex}"
    work.mkdir(parents=True)
    with connection(work, request.memory_limit) as database:
        database.execute("SET TimeZone = 'UTC'")
        try:
            rows = visible_sql(parts, f"{columns}, epoch_us({at}) AS __ts, {shard} AS __shard")
            # Of the rows up to the base, the entity's newest says all there is to know.
            database.execute(
                f"CREATE TABLE rows AS SELECT * FROM ({rows}) WHERE __ts <= {request.until} "
                f"QUALIFY __ts > {request.base} OR "
                f"row_number() OVER (PARTITION BY {keys}, __ts > {request.base} ORDER BY __ts DESC) = 1"
            )
        except duckdb.IOException as error:
            text = f"the history of {request.member.view} was replaced while it was read ({error}): run this again"
            raise ReplacedError(text) from error
        files, kept = [], 0
        for number in range(request.shards):
            file = request.stage / f"shard-{number:04d}.parquet"
            written = database.execute(
                f"COPY (SELECT {columns}, __ts, __ts AS __known FROM rows WHERE __shard = {number} "
                f"ORDER BY {keys}, __ts) TO {literal(str(file))} (FORMAT parquet, COMPRESSION lz4)"
            ).fetchall()
            files.append(file)
            kept += int(written[0][0])
    return Prepared(shards=tuple(files), texts={}, rows_read=kept, rows_kept=kept)


def _nothing(request: MemberRequest) -> Prepared:
    """The shards of a history without rows."""
    import pyarrow.parquet as pq

    fields = [(key, ARROW[kind]) for key, kind in request.join_keys.items()]
    schema = pa.schema([*fields, *request.columns.items(), (TIME, pa.int64()), (KNOWN, pa.int64())])
    request.stage.mkdir(parents=True, exist_ok=True)
    files = [request.stage / f"shard-{number:04d}.parquet" for number in range(request.shards)]
    for file in files:
        pq.write_table(schema.empty_table(), file)
    return Prepared(shards=tuple(files), texts={}, rows_read=0, rows_kept=0)


def text_of(instant: int) -> str:
    """An instant (µs) in ISO 8601, UTC."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)
    return moment.isoformat(timespec="auto").replace("+00:00", "Z")
