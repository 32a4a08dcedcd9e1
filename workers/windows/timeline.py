"""Places: the (entity, instant) pairs at which a value may change, and the span of places each row counts at."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from limner.language.durations import MICROS
from limner.language.models import Grid

Ints = npt.NDArray[np.int64]
_MONDAY = 4 * MICROS["d"]  # 1970-01-05T00:00Z: weekly grids begin on Mondays
FOREVER = np.int64(2**62)


def tick_at_or_after(grid: Grid, instant: Ints) -> Ints:
    """The first instant of the grid at or after each instant (µs)."""
    if grid.step is None:
        return instant
    origin = _MONDAY + grid.offset
    return origin + -((origin - instant) // grid.step) * grid.step


def tick_at_or_before(grid: Grid, instant: int) -> int:
    """The last instant of the grid at or before `instant` (µs)."""
    if grid.step is None:
        return instant
    origin = _MONDAY + grid.offset
    return origin + (instant - origin) // grid.step * grid.step


@dataclass(frozen=True)
class Timeline:
    """Places of some entities, sorted by entity, then instant.

    The first place of an entity known at the base instant is that instant itself: its values there are what
    later values are compared with.
    """

    entity: Ints  # [places] code of the entity
    tick: Ints  # [places] µs
    enter: Ints  # [rows] the first instant of the grid at which the row is known, not before the base
    base: int
    _begin: Ints  # [entities + 1] first place of each entity
    _row_entity: Ints
    _row_time: Ints
    _grid: Grid

    @property
    def size(self) -> int:
        """Number of places."""
        return len(self.tick)

    def exits(self, window: int | None) -> Ints:
        """[rows] the first instant of the grid at which a row has left a window of `window` µs."""
        return _exits(self._grid, self._row_time, window)

    def span(self, window: int | None) -> tuple[Ints, Ints]:
        """[rows] places first <= place < last at which each row is in the window; first >= last: nowhere."""
        first = self._place(self.enter)
        last = first.copy() if window is not None else self._begin[self._row_entity + 1]
        if window is not None:
            last = self._place(np.maximum(self.exits(window), self.enter))
        return first, last

    def _place(self, instant: Ints) -> Ints:
        """The first place of the row's entity at or after `instant`; the end of the entity where there is none."""
        ticks, code = self._ticks
        key = self._row_entity * (len(ticks) + 1) + np.searchsorted(ticks, instant)
        return np.searchsorted(code, key)

    @cached_property
    def _ticks(self) -> tuple[Ints, Ints]:
        """Distinct instants, and each place as one integer that sorts like (entity, instant)."""
        ticks = np.unique(self.tick)
        return ticks, self.entity * (len(ticks) + 1) + np.searchsorted(ticks, self.tick)


def _exits(grid: Grid, time: Ints, window: int | None) -> Ints:
    if window is None:
        return np.full(len(time), FOREVER)
    return tick_at_or_after(grid, time + (window + 1))


def moving(
    grid: Grid, entity: Ints, time: Ints, known: Ints, windows: set[int | None], start: int, end: int
) -> npt.NDArray[np.bool_]:
    """[rows] whether the row's entity has a row that enters or leaves a window in (start, end]; others stay."""
    base = tick_at_or_before(grid, start)
    enter = tick_at_or_after(grid, known)
    moves = (enter > base) & (enter <= end)
    for window in windows - {None}:
        leave = _exits(grid, time, window)
        moves |= (leave > base) & (leave <= end)
    count = int(entity[-1]) + 1 if len(entity) else 0
    return (np.bincount(entity, moves, count) > 0)[entity]


def build(
    grid: Grid, entity: Ints, time: Ints, known: Ints, windows: set[int | None], start: int, end: int
) -> Timeline:
    """Lay out the places of (base, end] and the base itself.

    `entity` are codes 0..n-1, ascending; `time` and `known` are µs; all have shape [rows]. The base is the last
    instant of the grid at or before `start`.
    """
    base = tick_at_or_before(grid, start)
    known_tick = tick_at_or_after(grid, known)
    enter = np.maximum(known_tick, base)
    entities, ticks = [entity], [enter]
    for window in windows - {None}:
        leave = _exits(grid, time, window)
        visible = (leave > enter) & (leave <= end)
        entities.append(entity[visible])
        ticks.append(leave[visible])
    all_entities, all_ticks = np.concatenate(entities), np.concatenate(ticks)
    inside = all_ticks <= end
    all_entities, all_ticks = all_entities[inside], all_ticks[inside]
    distinct, code = np.unique(all_ticks, return_inverse=True)
    key = np.unique(all_entities * (len(distinct) + 1) + code)
    place_entity, place_code = np.divmod(key, len(distinct) + 1)
    count = int(entity[-1]) + 1 if len(entity) else 0
    return Timeline(
        entity=place_entity,
        tick=distinct[place_code] if len(distinct) else np.empty(0, np.int64),
        enter=enter,
        base=base,
        _begin=np.searchsorted(place_entity, np.arange(count + 1)),
        _row_entity=entity,
        _row_time=time,
        _grid=grid,
    )
