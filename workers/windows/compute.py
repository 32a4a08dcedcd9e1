"""From the cleaned rows of one shard to the feature history over an interval: a pure function."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.language.feature_base import FeatureBase
from limner.language.features import Embed, TextStatistic
from limner.language.models import Grid
from limner.language.outputs import Output as OutputSpec
from limner.language.windows import Window
from limner.workers import arrow_types as arrow
from limner.workers.arrow_types import ARROW
from limner.workers.windows import column as c
from limner.workers.windows import kinds, pool, timeline
from limner.workers.windows.conditions import masks
from limner.workers.windows.rows import Rows

TIME, KNOWN, UNTIL = "__ts", "__known", "__until"  # µs; the last may be missing, or null
EVENT_TIMESTAMP = "event_timestamp"
_BLOCK = 200_000  # rows evaluated at once: memory depends on this, not on the shard


@dataclass(frozen=True)
class Task:
    """What to compute: the history over (start, end], instants in µs; `base`: the values at its beginning too."""

    join_keys: tuple[str, ...]
    outputs: tuple[OutputSpec, ...]
    staged: dict[str, str]  # output name of a text feature -> its column of digests or of measures
    grid: Grid
    start: int
    end: int
    base: bool = True


@dataclass(frozen=True)
class History:
    """`base`: one row an entity already known at the base instant; `changes`: rows of (base, end] that differ.

    Both are sorted by join keys, then event timestamp.
    """

    base: pa.Table
    changes: pa.Table


# Vectors of the distinct digests (sorted, binary(16)): float32 [n, dim], and which of them exist.
Vectors = Callable[[str, pa.Array], tuple[pool.Float32s, c.Bools]]
# Of entities (a table of join keys), those with rows known at the base that are not among the rows given.
SeenBefore = Callable[[pa.Table], c.Bools]


def compute(rows: pa.Table, task: Task, vectors: Vectors, seen_before: SeenBefore | None = None) -> History:
    """Evaluate all outputs over `rows`, which are in canonical order (join keys, then time, then ties)."""
    parts = [_block(block, task, vectors, seen_before) for block in _blocks(rows, task.join_keys)]
    empty = schema(rows.schema, task).empty_table()
    return History(
        base=pa.concat_tables([empty, *(part.base for part in parts)]).combine_chunks(),
        changes=pa.concat_tables([empty, *(part.changes for part in parts)]).combine_chunks(),
    )


def schema(rows: pa.Schema, task: Task) -> pa.Schema:
    """Columns of a history: join keys, outputs, event timestamp."""
    fields = [pa.field(key, rows.field(key).type) for key in task.join_keys]
    fields += [pa.field(output.name, arrow_type(output)) for output in task.outputs]
    return pa.schema([*fields, pa.field(EVENT_TIMESTAMP, ARROW["timestamp"])])


def arrow_type(output: OutputSpec) -> pa.DataType:
    """The Arrow type of an output."""
    kind = output.type
    return arrow.arrow_type(kind.base, many=kind.list, dim=kind.dim, keyed=kind.map)


def _entities(rows: pa.Table, keys: tuple[str, ...]) -> c.Ints:
    """Codes 0..n-1 of the entities of rows sorted by their keys."""
    fresh = np.zeros(len(rows), bool)
    for key in keys:
        fresh[1:] |= np.asarray(pc.not_equal(rows[key].slice(1), rows[key].slice(0, max(len(rows) - 1, 0))), bool)
    return np.cumsum(fresh)


def _blocks(rows: pa.Table, keys: tuple[str, ...]) -> Iterator[pa.Table]:
    """Whole entities, about _BLOCK rows at a time."""
    if not len(rows):
        return
    entity = _entities(rows, keys)
    begin = 0
    while begin < len(rows):
        stop = min(begin + _BLOCK, len(rows))
        stop = int(np.searchsorted(entity, entity[stop - 1], side="right"))
        yield rows.slice(begin, stop - begin)
        begin = stop


def _block(rows: pa.Table, task: Task, vectors: Vectors, seen_before: SeenBefore | None) -> History:
    windows = {window for output in task.outputs for window in output.feature.looks(output.window)}
    events = _events(rows, task)
    if not task.base:
        rows = rows.filter(pa.array(timeline.moving(task.grid, events, windows, task.start, task.end)))
        events = _events(rows, task)
    line = timeline.build(task.grid, events, windows, task.start, task.end)
    selected = masks(rows, [output.feature.where for output in task.outputs])
    spans = {window: line.span(window) for window in windows}

    def look(window: Window, zone: str) -> Rows:
        first, last = spans[window]
        index = np.flatnonzero(first < last)
        return Rows(rows, index, first[index], last[index], line.size, events.entity[index], events.time[index], zone)

    columns = []
    for output, where in zip(task.outputs, selected, strict=True):
        looks = [look(window, output.zone) for window in output.feature.looks(output.window)]
        if isinstance(output.feature, Embed):
            columns.append(_embed(output, task, looks[0], where, line, vectors))
        else:
            columns.append(kinds.evaluate(_plain(output, task), looks, where))
    return _assemble(rows, events.entity, task, line, columns, seen_before)


def _plain(output: OutputSpec, task: Task) -> FeatureBase:
    """The feature as a kind over one column: a statistic of texts pools the column of its measures."""
    feature = output.feature
    return kinds.pooled(feature, task.staged[output.name]) if isinstance(feature, TextStatistic) else feature


def _events(rows: pa.Table, task: Task) -> timeline.Events:
    """Code of the entity, event time, instants of becoming known and of being withdrawn of each row."""
    time, known = (np.asarray(rows[name].to_numpy(), np.int64) for name in (TIME, KNOWN))
    until = None
    if UNTIL in rows.column_names:
        until = np.asarray(rows[UNTIL].fill_null(int(timeline.FOREVER)).to_numpy(), np.int64)
    return timeline.Events(_entities(rows, task.join_keys), time, known, until)


def _embed(
    output: OutputSpec,
    task: Task,
    rows: Rows,
    selected: c.Bools | None,
    line: timeline.Timeline,
    vectors: Vectors,
) -> c.Output:
    assert isinstance(output.feature, Embed)
    pooling = output.feature.pooling
    if selected is not None:
        rows = rows.where(selected[rows.index])
    if pooling.weight is not None:
        values, present = c.numbers(rows.table[pooling.weight].take(pa.array(rows.index)))
        rows = rows.where(present & (values > 0))
    rows, ranked = rows.coded(task.staged[output.name])
    matrix, found = vectors(output.feature.encoder, ranked.values)
    kept = found[ranked.code] if len(ranked.code) else np.zeros(0, bool)
    rows, code = rows.where(kept), ranked.code[kept]
    weight = np.ones(len(rows.index))
    if pooling.weight is not None:
        weight = c.numbers(rows.table[pooling.weight].take(pa.array(rows.index)))[0].astype(np.float64)
    texts = pool.Texts(
        entity=rows.entity,
        first=rows.first,
        last=rows.last,
        enter=line.stays[output.window].enter[rows.index],
        leave=line.stays[output.window].leave[rows.index],
        time=rows.time,
        weight=weight,
        vector=code,
    )
    half_life = pooling.half_life.micros if pooling.half_life else None
    return pool.mean(texts, matrix, line.size, half_life, pooling.newest)


def _assemble(
    rows: pa.Table,
    entity: c.Ints,
    task: Task,
    line: timeline.Timeline,
    columns: list[c.Output],
    seen_before: SeenBefore | None,
) -> History:
    """Keep the places where some value differs from the entity's previous place."""
    fresh = np.ones(line.size, bool)
    fresh[1:] = line.entity[1:] != line.entity[:-1]
    differs = fresh.copy()
    for column in columns:
        state = column.state if column.state.ndim == 2 else column.state[:, None]
        differs[1:] |= (state[1:] != state[:-1]).any(axis=1)
    at_base = line.tick == line.base
    changed = differs & ~at_base
    if seen_before is not None:
        changed &= ~_silent_return(rows, entity, task, line, columns, fresh & ~at_base, seen_before)
    head = np.searchsorted(entity, np.arange(int(entity[-1]) + 1 if len(entity) else 0))

    def table(places: c.Ints) -> pa.Table:
        owner = pa.array(head[line.entity[places]])
        arrays = [rows[key].take(owner) for key in task.join_keys]
        arrays += [column.take(places) for column in columns]
        arrays.append(pa.array(line.tick[places]).cast(ARROW["timestamp"]))
        target = schema(rows.schema, task)
        return pa.table([a.cast(f.type) for a, f in zip(arrays, target, strict=True)], schema=target)

    return History(base=table(np.flatnonzero(at_base & task.base)), changes=table(np.flatnonzero(changed)))


def _silent_return(
    rows: pa.Table,
    entity: c.Ints,
    task: Task,
    line: timeline.Timeline,
    columns: list[c.Output],
    first: c.Bools,
    seen_before: SeenBefore,
) -> c.Bools:
    """First places that only repeat what an entity last seen before the rows read has had since: empty windows.

    Such an entity's earlier rows have left every window, so its values are those of empty windows. A place
    whose every output is empty is therefore a change only for an entity that was never seen.
    """
    empty = first.copy()
    for column, blank in zip(columns, _empties(rows, task), strict=True):
        places = np.flatnonzero(empty)
        if not len(places):
            return empty
        same = pa.array([value == blank for value in column.take(places).to_pylist()], pa.bool_())
        empty[places[~np.asarray(same)]] = False
    places = np.flatnonzero(empty)
    if len(places):
        head = np.searchsorted(entity, line.entity[places])
        empty[places] = seen_before(rows.select(task.join_keys).take(pa.array(head)))
    return empty


def _empties(rows: pa.Table, task: Task) -> list[object]:
    """Each output's value over an empty window, default included."""
    blank: list[object] = []
    nothing = np.empty(0, np.int64)
    for output in task.outputs:
        if isinstance(output.feature, Embed):
            blank.append(None)
            continue
        none = Rows(rows, nothing, nothing, nothing, 1, nothing, nothing, output.zone)
        looks = [none] * len(output.feature.looks(output.window))
        selected = np.empty(0, bool) if output.feature.where is not None else None
        blank.append(kinds.evaluate(_plain(output, task), looks, selected).take(np.zeros(1, np.int64)).to_pylist()[0])
    return blank
