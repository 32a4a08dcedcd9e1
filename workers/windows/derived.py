"""Derived features at places: computed where something they are made of changes, once a change."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pyarrow as pa

from limner.language.derived_base import Derived
from limner.language.models import Grid
from limner.language.outputs import Output as OutputSpec
from limner.workers.derive.rows import Fits, changes, rows
from limner.workers.windows import column as c
from limner.workers.windows.timeline import Timeline, tick_at_or_after


def breaks(grid: Grid, outputs: Sequence[OutputSpec]) -> tuple[int, ...]:
    """Instants of the grid (µs) from which on something learned speaks: values may change then without an event."""
    return tuple(sorted({int(tick_at_or_after(grid, np.array(each))) for each in _turns(outputs)}))


def derived_columns(
    outputs: Sequence[OutputSpec], columns: Mapping[str, c.Output], line: Timeline, fits: Fits
) -> dict[str, c.Output]:
    """The columns of the derived ones among `outputs`; `columns` are those of all others, by name."""
    derived = [each for each in outputs if isinstance(each.feature, Derived)]
    if not derived:
        return {}
    places = np.flatnonzero(candidates([each.state for each in columns.values()], line, _turns(outputs)))
    used = {name for output in derived for _, names in output.inputs for name in names}
    made = rows(outputs, {n: each.take(places) for n, each in columns.items() if n in used}, line.tick[places], fits)
    where = last_of(places, line)
    return {name: column_of(array, where) for name, array in made.items()}


def candidates(states: Collection[c.Ints], line: Timeline, turns: Collection[int]) -> c.Bools:
    """[places] where a value made of columns with these states may differ from that at the entity's previous place."""
    found = np.ones(line.size, bool)
    found[1:] = line.entity[1:] != line.entity[:-1]
    for state in states:
        each = state if state.ndim == 2 else state[:, None]
        found[1:] |= (each[1:] != each[:-1]).any(axis=1)
    for instant in turns:
        found[1:] |= (line.tick[1:] >= instant) & (line.tick[:-1] < instant)
    return found


def last_of(places: c.Ints, line: Timeline) -> c.Ints:
    """[places of the line] the position of the last of some `places` at or before each; -1 before the first."""
    return np.searchsorted(places, np.arange(line.size), side="right") - 1


def column_of(values: pa.Array, where: c.Ints) -> c.Output:
    """The column that has `values[where]`; a change is one of its values."""
    return c.Output(
        np.cumsum(changes(values), dtype=np.int64)[where], lambda chosen: values.take(pa.array(where[chosen]))
    )


def _turns(outputs: Sequence[OutputSpec]) -> set[int]:
    return {turn for output in outputs for turn in output.feature.turns}
