"""From the cleaned rows of one shard, by source, to the feature history over an interval: a pure function."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pyarrow as pa

from limner.language.derived_base import Derived
from limner.language.feature_base import FeatureBase
from limner.language.features import Embed, NextItems, OfSequence, Scored, TextStatistic
from limner.language.models import Grid
from limner.language.outputs import Output as OutputSpec
from limner.language.windows import Window
from limner.workers import arrow_types as arrow
from limner.workers.arrow_types import ARROW
from limner.workers.derive import rows as derive
from limner.workers.derive.rows import Fits
from limner.workers.models.sequences.learned import Behaving
from limner.workers.text.vectors import Vectors
from limner.workers.windows import column as c
from limner.workers.windows import kinds, texts, timeline
from limner.workers.windows.behaviour import behaviour
from limner.workers.windows.carried import Edges, State, Sums, UnlikeStateError, edges, together
from limner.workers.windows.conditions import masks
from limner.workers.windows.derived import breaks, derived_columns
from limner.workers.windows.entities import Block, blocks
from limner.workers.windows.flows import Columns, Flowing, flow
from limner.workers.windows.rows import Rows

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
    hidden: tuple[OutputSpec, ...] = ()  # computed because others are made of them, not written
    fits: Fits = field(default_factory=dict)  # by output name, as far as they are made
    keep: bool = False  # hand on what windows hold at the end

    @property
    def plain(self) -> tuple[OutputSpec, ...]:
        """The outputs that are made of rows, hidden ones too."""
        return tuple(output for output in self.computed if not isinstance(output.feature, Derived))

    @property
    def computed(self) -> tuple[OutputSpec, ...]:
        """All outputs, hidden ones too."""
        return (*self.outputs, *self.hidden)

    @property
    def breaks(self) -> tuple[int, ...]:
        """Instants of the grid from which on a fit holds: values may change then without an event."""
        return breaks(self.grid, self.computed)


@dataclass(frozen=True)
class History:
    """`base`: one row an entity already known at the base instant; `changes`: rows of (base, end] that differ.

    Both are sorted by join keys, then event timestamp. `state`: what windows hold at the end, of entities with a row
    that moved in the interval, or of all: together with what was handed on, what a run that goes on may start with.
    """

    base: pa.Table
    changes: pa.Table
    state: State | None = None


# Of entities (a table of join keys), those with rows known at the base that are not among the rows given.
SeenBefore = Callable[[pa.Table], c.Bools]


def compute(
    tables: Mapping[str, pa.Table],
    task: Task,
    vectors: Vectors,
    seen_before: SeenBefore | None = None,
    carried: State | None = None,
) -> History:
    """Evaluate all outputs over the rows of each source, which are in canonical order (keys, time, ties).

    An entity has rows in the history from the first instant at which any source knows it. With `carried`, what windows
    held at the base, rows are needed that become known, enter or leave a window in (base, end]; others may be there.
    """
    parts = [_block(block, task, vectors, seen_before, carried) for block in blocks(tables, task.join_keys, _BLOCK)]
    rows = next(iter(tables.values())).schema
    empty = schema(rows, task).empty_table()
    state = None
    if task.keep:
        nothing = State(pa.schema([rows.field(key) for key in task.join_keys]).empty_table(), {})
        state = together([nothing, *(part.state for part in parts if part.state is not None)])
    return History(
        base=pa.concat_tables([empty, *(part.base for part in parts)]),
        changes=pa.concat_tables([empty, *(part.changes for part in parts)]),
        state=state,
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


def _block(
    block: Block, task: Task, vectors: Vectors, seen_before: SeenBefore | None, carried: State | None
) -> History:
    base = timeline.tick_at_or_before(task.grid, task.start)
    stays = _stays(block, task)
    if not task.base and (carried is not None or not task.keep):
        block = block.only(timeline.moving(stays.values(), len(block.keys), base, task.end, task.breaks))
        stays = _stays(block, task)
    known = carried.find(block.keys) if carried is not None else np.full(len(block.keys), -1)
    line = timeline.build(stays.values(), base, task.end, task.breaks, np.flatnonzero(known >= 0))
    ends = edges(line)
    if carried is not None and (line.tick[ends.first[known[ends.entity] < 0]] <= base).any():
        raise UnlikeStateError("an entity is known that was not known then")
    spans = {(name, window): line.span(each, window) for name, each in stays.items() for window in each.windows}
    selected = _selected(block, task)

    columns = {name: Columns(rows.table) for name, rows in block.sources.items()}

    @cache
    def seen(source: str, window: Window) -> Rows:
        first, last = spans[source, window]
        index = np.flatnonzero(first < last)
        rows = block.sources[source]
        entity, time = rows.events.entity[index], rows.events.time[index]
        flowing = Flowing(columns[source], flow(first, last, line.size))
        return Rows(rows.table, index, first[index], last[index], line.size, entity, time, "UTC", None, flowing)

    def look(output: OutputSpec, window: Window, sums: Sums | None) -> Rows:
        rows = seen(output.source, window)
        assert rows.flowing is not None
        return replace(rows, zone=output.zone, sums=sums, flowing=replace(rows.flowing, sums=sums))

    made: dict[str, c.Output] = {}
    handed: dict[str, Sums] = {}
    said: dict[tuple[str, Window, Scored], texts.Said] = {}
    for output in task.plain:
        if task.keep or carried is not None:
            held = carried.sums.get(output.name) if carried is not None else None
            handed[output.name] = Sums(ends, known[ends.entity], held)
        looks = [look(output, window, handed.get(output.name)) for window in output.feature.looks(output.window)]
        where = selected[output.name]
        if isinstance(output.feature, Embed):
            stay = stays[output.source].windows[output.window]
            made[output.name] = texts.embedded(
                output.feature, output.feature.encoder, task.staged[output.name], looks[0], where, stay, vectors
            )
        elif isinstance(output.feature, Scored):
            stay = stays[output.source].windows[output.window]
            family = (output.source, output.window, output.feature.whole)
            if family not in said:
                column = task.staged.get(output.name)
                said[family] = texts.said(output.feature, column, looks[0], where, stay, vectors, line)
            made[output.name] = said[family].of(output.feature.place)
        elif isinstance(output.feature, OfSequence):
            fitted = task.fits.get(output.name)
            assert fitted is None or isinstance(fitted, Behaving)
            made[output.name] = behaviour(output.feature, fitted, looks[0], where, line)
        else:
            made[output.name] = kinds.evaluate(_plain(output, task), looks, where)
    made |= derived_columns(task.computed, made, line, task.fits)
    history = _assemble(block, task, line, [made[output.name] for output in task.outputs], seen_before)
    return replace(history, state=_state(block, ends, handed)) if task.keep else history


def _state(block: Block, ends: Edges, handed: Mapping[str, Sums]) -> State:
    return State(block.keys.take(pa.array(ends.entity)), {name: tuple(each.after) for name, each in handed.items()})


def _plain(output: OutputSpec, task: Task) -> FeatureBase:
    """The feature as a kind over one column: a statistic of texts pools the column of its measures."""
    feature = output.feature
    return kinds.pooled(feature, task.staged[output.name]) if isinstance(feature, TextStatistic) else feature


def _stays(block: Block, task: Task) -> dict[str, timeline.Stays]:
    """By source, when its rows are in the windows that its outputs look through."""
    windows: dict[str, set[Window]] = {name: set() for name in block.sources}
    for output in task.plain:
        windows[output.source].update(output.feature.looks(output.window))
    return {name: timeline.stays(task.grid, rows.events, windows[name]) for name, rows in block.sources.items()}


def _selected(block: Block, task: Task) -> dict[str, c.Bools | None]:
    """For each output where its condition holds, shape [rows of its source]; None where it has none."""
    found: dict[str, c.Bools | None] = {}
    for name, source in block.sources.items():
        of = [output for output in task.plain if output.source == name]
        mask = masks(source.table, [output.feature.where for output in of])
        found |= {output.name: each for output, each in zip(of, mask, strict=True)}
    return found


def _assemble(
    block: Block,
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
        changed &= ~_silent_return(block, task, line, columns, fresh & ~at_base, seen_before)

    def table(places: c.Ints) -> pa.Table:
        owner = pa.array(line.entity[places])
        arrays = [block.keys[key].take(owner) for key in task.join_keys]
        arrays += [column.take(places) for column in columns]
        arrays.append(pa.array(line.tick[places]).cast(ARROW["timestamp"]))
        target = schema(block.keys.schema, task)
        return pa.table([a.cast(f.type) for a, f in zip(arrays, target, strict=True)], schema=target)

    return History(base=table(np.flatnonzero(at_base & task.base)), changes=table(np.flatnonzero(changed)))


def _silent_return(
    block: Block,
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
    if not empty.any():
        return empty
    for column, blank in zip(columns, _empties(block, task), strict=True):
        places = np.flatnonzero(empty)
        if not len(places):
            return empty
        same = pa.array([value == blank for value in column.take(places).to_pylist()], pa.bool_())
        empty[places[~np.asarray(same)]] = False
    places = np.flatnonzero(empty)
    if len(places):
        empty[places] = seen_before(block.keys.take(pa.array(line.entity[places])))
    return empty


def _empties(block: Block, task: Task) -> list[object]:
    """Each output's value where every window is empty, defaults included, at the end of the interval.

    No fit begins to hold within an interval whose rows are not all read, so it is the same at all its instants.
    """
    blank: dict[str, pa.Array] = {}
    nothing = np.empty(0, np.int64)
    for output in task.plain:
        if isinstance(output.feature, Embed | Scored | OfSequence):
            kind = arrow_type(output)
            blank[output.name] = pa.array([{}], kind) if isinstance(output.feature, NextItems) else pa.nulls(1, kind)
            continue
        none = Rows(block.sources[output.source].table, nothing, nothing, nothing, 1, nothing, nothing, output.zone)
        looks = [none] * len(output.feature.looks(output.window))
        selected = np.empty(0, bool) if output.feature.where is not None else None
        blank[output.name] = kinds.evaluate(_plain(output, task), looks, selected).take(np.zeros(1, np.int64))
    blank |= derive.rows(task.computed, blank, np.array([task.end]), task.fits)
    return [blank[output.name].to_pylist()[0] for output in task.outputs]
