"""The rows of a view over views that follows events: history rows of its members, wherever they are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from limner.workers.arrow_types import ARROW
from limner.workers.context import RunContext
from limner.workers.members import ReplacedError
from limner.workers.plan import ViewPlan
from limner.workers.staged import stage_members, taken_of
from limner.workers.stream.state import State
from limner.workers.windows.compute import EVENT_TIMESTAMP
from limner.workers.windows.entities import KNOWN, TIME

_ALL = 7_258_118_400_000_000  # µs: the year 2200
_ATTEMPTS = 5  # to read a history that runs replace


@dataclass(frozen=True)
class Left:
    """What is computed of a view and not in its history: rows after `flushed` (µs)."""

    flushed: int
    changes: Sequence[pa.Table]


def left_of(state: State, view: str, fingerprint: str) -> Left | None:
    """As of one moment; None of a view that follows no events."""
    with state.reading():
        progress = state.progress(view, fingerprint)
        changes = state.changes(view, fingerprint)
    return None if progress is None else Left(progress[0], [table for _, table in changes])


def member_tables(
    plan: ViewPlan, start: int, stage: Path, context: RunContext, left: Mapping[str, Left | None]
) -> dict[str, pa.Table]:
    """The history rows of each member that hold at `start` (µs) or come after it, in canonical order.

    They are read below `stage`; `context` must have one shard.
    """
    flushed = {name: _ALL if each is None else each.flushed for name, each in left.items()}
    for attempt in range(_ATTEMPTS):
        try:
            prepared = stage_members(plan, start, flushed, stage / str(attempt), context)
            break
        except ReplacedError:
            if attempt == _ATTEMPTS - 1:
                raise
    tables = {}
    for name, each in prepared.items():
        there = left[name]
        parts = [pq.read_table(each.shards[0]), *(() if there is None else there.changes)]
        rows = pa.concat_tables(member_rows(plan, name, part) for part in parts)
        tables[name] = rows.sort_by([(key, "ascending") for key in (*plan.join_keys, TIME)]).combine_chunks()
    return tables


def member_rows(plan: ViewPlan, member: str, rows: pa.Table) -> pa.Table:
    """History rows of a member, as they are computed or as they are staged: what a view is made of, and when."""
    keys = plan.specs.entities[plan.view.entity].join_keys
    fields = [*((key, ARROW[keys[key]]) for key in plan.join_keys), *taken_of(plan, member).items()]
    if TIME not in rows.column_names:
        at = rows[EVENT_TIMESTAMP].cast(pa.int64())
        rows = rows.append_column(TIME, at).append_column(KNOWN, at)
    schema = pa.schema([*fields, (TIME, pa.int64()), (KNOWN, pa.int64())])
    return rows.select(schema.names).cast(schema)
