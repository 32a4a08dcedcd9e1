"""Examples: who was known at an instant, their features as of it, and what came after. One shard at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.language.features import Count, Distinct, Sum
from limner.language.outputs import Output
from limner.workers.models.instants import Instants
from limner.workers.sql import literal, quoted
from limner.workers.text.models import AnyEncoder
from limner.workers.text.vectors import stored_vectors
from limner.workers.windows.compute import EVENT_TIMESTAMP, Task, compute
from limner.workers.windows.entities import KNOWN, TIME, UNTIL

AT, LABEL = "__at", "__label"
_OPS = {"=", "<>", "<", "<=", ">", ">="}


@dataclass(frozen=True)
class Asked:
    """Rows of one shard, by source, and what is computed of them. `start` of the task is set when the rows are read."""

    rows: Mapping[str, Path]
    task: Task
    encoders: Mapping[str, AnyEncoder]


@dataclass(frozen=True)
class Question:
    """A question about rows: its one value, how it is compared, and with what."""

    asked: Asked
    how: str
    bound: float


@dataclass(frozen=True)
class ExampleTask:
    """What a worker process is handed: `views` by name, the label, maybe the population; writes to `target`."""

    join_keys: tuple[str, ...]
    instants: Instants
    cut_off: int
    views: Mapping[str, Asked]
    label: Question | None
    population: Question | None
    embeddings: Path
    target: Path


@dataclass(frozen=True)
class Drawn:
    """What a shard gave: its file, how many examples, how many without an answer, when the first of them is, and its
    newest row (µs): of the label, where there is one.
    """

    file: Path
    examples: int
    unanswered: int
    first: int | None
    newest: int | None


def draw(task: ExampleTask) -> Drawn:
    """Write the examples of one shard: join keys, AT (µs), inputs named `view.feature`, LABEL; sorted by AT, then keys.

    Where there is no question of what comes after, they have no LABEL.

    An example is an entity that some view knows at the instant, as a view over views would.
    """
    known = {name: _history(task, asked) for name, asked in task.views.items()}
    labelled, newest = _answers(task)
    with duckdb.connect(config={"threads": 1}) as database:
        database.execute("SET TimeZone = 'UTC'")
        for name, table in known.items():
            database.register(f"view {name}", table)
        if labelled is not None:
            database.register("labelled", labelled)
        keys = ", ".join(map(quoted, task.join_keys))
        every = " UNION ALL ".join(f"SELECT {keys}, __ts FROM {quoted(f'view {name}')}" for name in known)
        first = database.sql(f"SELECT min(__ts) FROM ({every})").fetchall()[0][0]
        instants = task.instants.since(first) if first is not None else np.empty(0, np.int64)
        database.register("instants", pa.table({AT: pa.array(instants, pa.int64())}))
        query = (
            f"WITH entities AS (SELECT {keys}, min(__ts) AS __first FROM ({every}) GROUP BY ALL), "
            f"drawn AS (SELECT {keys}, {AT}, {AT} + {task.instants.ahead} AS __end "
            f"FROM entities JOIN instants ON {AT} >= __first) "
            f"SELECT {_columns(task, known)} FROM drawn {_joins(task, known)}"
        )
        if task.population is not None:
            database.register("asked", _history(task, task.population.asked))
            query += _as_of(task, "asked", AT) + f" WHERE {_holds(task.population, 'asked')}"
        order = ", ".join((AT, *map(quoted, task.join_keys)))
        found = database.sql(f"{query} ORDER BY {order}").to_arrow_table()
    answered = found.filter(pc.is_valid(found[LABEL])) if task.label is not None else found
    task.target.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(answered, task.target, compression="lz4", store_schema=True)
    first = answered[AT][0].as_py() if len(answered) else None
    return Drawn(task.target, len(answered), len(found) - len(answered), first, newest)


def newest_of(task: ExampleTask) -> int | None:
    """When the newest row that is known by the cut-off happened, µs; None without one.

    Of the label's source; where nothing is asked of what comes after, of those of the views.
    """
    asked = [task.label.asked] if task.label is not None else list(task.views.values())
    tables = (pq.read_table(path, columns=[KNOWN, TIME]) for each in asked for path in each.rows.values())
    newest = (pc.max(each.filter(pc.less_equal(each[KNOWN], task.cut_off))[TIME]).as_py() for each in tables)
    return max((each for each in newest if each is not None), default=None)


def _history(task: ExampleTask, asked: Asked) -> pa.Table:
    """Rows at which values change, the first at or before the first instant; their time (µs) is `__ts`."""
    tables = {source: pq.read_table(path) for source, path in asked.rows.items()}
    start = min((int(pc.min(table[KNOWN]).as_py()) - 1 for table in tables.values() if len(table)), default=0)
    if task.instants.first is not None:
        start = max(start, task.instants.first)
    made = compute(
        tables,
        replace(asked.task, start=start, end=max(start, task.instants.last)),
        stored_vectors(task.embeddings, asked.encoders),
    )
    return _timed(pa.concat_tables([made.base, made.changes]))


def _answers(task: ExampleTask) -> tuple[pa.Table | None, int | None]:
    """The value of the label at each instant at which one is complete, and when the newest row happened.

    What counts is when rows happened: all that are known by the cut-off tell the truth about the time before it.
    """
    if task.label is None:
        return None, newest_of(task)
    asked = task.label.asked
    tables = {source: _settled(pq.read_table(path), task.cut_off) for source, path in asked.rows.items()}
    times = [int(pc.max(table[TIME]).as_py()) for table in tables.values() if len(table)]
    start = min((int(pc.min(table[TIME]).as_py()) for table in tables.values() if len(table)), default=0)
    last = task.instants.last + task.instants.ahead
    if task.instants.first is not None:
        start = max(start, task.instants.first + task.instants.ahead)
    grid = task.instants.shifted
    made = compute(tables, replace(asked.task, grid=grid, start=start, end=max(start, last)), _no_vectors)
    return _timed(pa.concat_tables([made.base, made.changes])), max(times, default=None)


def _settled(rows: pa.Table, cut_off: int) -> pa.Table:
    """The rows as the cut-off knows them, each as if it had been known when it happened."""
    keep = pc.less_equal(rows[KNOWN], cut_off)
    if UNTIL in rows.column_names:
        keep = pc.and_(keep, pc.fill_null(pc.greater(rows[UNTIL], cut_off), True))
        rows = rows.drop_columns([UNTIL])
        rows = rows.filter(keep)
    else:
        rows = rows.filter(keep)
    return rows.set_column(rows.schema.get_field_index(KNOWN), KNOWN, pc.add(rows[TIME], 1))


def _timed(rows: pa.Table) -> pa.Table:
    instant = rows[EVENT_TIMESTAMP].cast(pa.int64())
    return rows.drop_columns([EVENT_TIMESTAMP]).append_column("__ts", instant)


def _columns(task: ExampleTask, known: Mapping[str, pa.Table]) -> str:
    keys = [f"drawn.{quoted(key)} AS {quoted(key)}" for key in task.join_keys]
    inputs = [
        f"{quoted(f'of {view}')}.{quoted(output.name)}{_cast(output)} AS {quoted(f'{view}.{output.name}')}"
        for view in known
        for output in task.views[view].task.outputs
    ]
    label = [f"{_holds(task.label, 'labelled')} AS {LABEL}"] if task.label is not None else []
    return ", ".join((*keys, AT, *inputs, *label))


def _cast(output: Output) -> str:
    """Numbers of all kinds are doubles, words and vectors what they are."""
    return "" if output.type.dim or output.type.base == "string" else "::DOUBLE"


def _joins(task: ExampleTask, known: Mapping[str, pa.Table]) -> str:
    views = (_as_of(task, f"view {name}", AT, f"of {name}") for name in known)
    return "".join((*views, _as_of(task, "labelled", "__end") if task.label is not None else ""))


def _as_of(task: ExampleTask, table: str, instant: str, alias: str | None = None) -> str:
    name = quoted(alias or table)
    same = " AND ".join(f"drawn.{quoted(key)} = {name}.{quoted(key)}" for key in task.join_keys)
    renamed = f" AS {name}" if alias else ""
    return f" ASOF LEFT JOIN {quoted(table)}{renamed} ON {same} AND drawn.{instant} >= {name}.__ts"


def _holds(question: Question, table: str) -> str:
    """SQL of the answer: null where there is no number."""
    (output,) = question.asked.task.outputs
    value = f"{quoted(table)}.{quoted(output.name)}::DOUBLE"
    if isinstance(output.feature, Count | Distinct | Sum):
        value = f"coalesce({value}, 0)"  # an entity without any row
    assert question.how in _OPS
    return f"({value} {question.how} {literal(repr(question.bound))}::DOUBLE)"


def _no_vectors(_encoder: str, _digests: pa.Array) -> NoReturn:
    raise AssertionError("a question asks for numbers")
