"""Places: the (entity, instant) pairs at which a value may change, and the span of places each row counts at.

A row counts in a window from the instant at which it is known and the window has reached it, until the window has
passed it or the row is withdrawn from its entity. All instants are µs.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from limner.language.durations import MICROS
from limner.language.models import Grid
from limner.language.windows import Calendar, Lifetime, Since, Sliding, Window
from limner.workers.windows import calendar

Ints = npt.NDArray[np.int64]
_MONDAY = 4 * MICROS["d"]  # 1970-01-05T00:00Z: weekly grids begin on Mondays
FOREVER = np.int64(2**62)
_CELLS = 1 << 22  # entities times instants that are cheap to have a cell for


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
class Events:
    """Rows of some entities, all arrays of shape [rows]."""

    entity: Ints  # codes 0..n-1, ascending
    time: Ints  # event timestamp
    known: Ints
    until: Ints | None = None  # when the row is withdrawn from its entity, FOREVER for never; None: no row ever is

    def enters(self, window: Window) -> Ints:
        """The first instant at which each row is in the window, if it is before `leaves`."""
        match window:
            case Sliding(_, shift) if shift:
                return np.maximum(self.known, self.time + (shift + 1))
            case Calendar(unit, back, zone) if back:
                return np.maximum(self.known, calendar.next_beginning(self.time, unit, zone, back))
            case Since(other, since):
                return np.maximum(self.enters(other), since)
        return self.known

    def leaves(self, window: Window) -> Ints:
        """The first instant from which on each row is not in the window any more."""
        match window:
            case Sliding(width, shift):
                leave = self.time + (width + shift + 1)
            case Calendar(unit, back, zone):
                leave = calendar.next_beginning(self.time, unit, zone, back + 1)
            case Since(other):
                return self.leaves(other)
            case Lifetime():
                leave = np.full(len(self.time), FOREVER)
        return leave if self.until is None else np.minimum(leave, self.until)


@dataclass(frozen=True)
class Stay:
    """When rows are in one window: [rows] instants of the grid, in it at enter <= instant < leave."""

    enter: Ints
    leave: Ints


@dataclass(frozen=True)
class Stays:
    """Rows of one source, and when they are in each window they are looked at through, on the instants of a grid."""

    rows: Events
    known: Ints  # [rows] the first instant of the grid at which a row is known
    windows: Mapping[Window, Stay]
    step: int | None = None  # between two instants of the grid, µs


def stays(grid: Grid, rows: Events, windows: Collection[Window]) -> Stays:
    """The rows' stay in each window."""
    found = {
        window: Stay(tick_at_or_after(grid, rows.enters(window)), tick_at_or_after(grid, rows.leaves(window)))
        for window in windows
    }
    return Stays(rows, tick_at_or_after(grid, rows.known), found, grid.step)


@dataclass(frozen=True)
class Timeline:
    """Places of some entities, sorted by entity, then instant.

    The first place of an entity known at the base instant is that instant itself: its values there are what
    later values are compared with.
    """

    entity: Ints  # [places] code of the entity
    tick: Ints  # [places] µs
    base: int
    cells: "Cells | None" = None

    @property
    def size(self) -> int:
        """Number of places."""
        return len(self.tick)

    def span(self, source: Stays, window: Window) -> tuple[Ints, Ints]:
        """[rows] places first <= place < last at which each row is in the window; first >= last: nowhere."""
        stay, entity = source.windows[window], source.rows.entity
        first = self._place(entity, np.maximum(stay.enter, self.base))
        return first, self._place(entity, np.maximum(stay.leave, self.base))

    def _place(self, entity: Ints, instant: Ints) -> Ints:
        """The first place of an entity at or after an instant; the end of the entity where there is none."""
        if self.cells is not None:
            return self.cells.place(entity, instant)
        ticks, code = self._ticks
        key = entity * (len(ticks) + 1) + np.searchsorted(ticks, instant)
        return np.searchsorted(code, key)

    @cached_property
    def _ticks(self) -> tuple[Ints, Ints]:
        """Distinct instants, and each place as one integer that sorts like (entity, instant)."""
        ticks = np.unique(self.tick)
        return ticks, self.entity * (len(ticks) + 1) + np.searchsorted(ticks, self.tick)


@dataclass(frozen=True)
class Cells:
    """A cell for each entity and instant of the grid in [base, end], where they are few enough: nothing is sorted."""

    base: int
    step: int
    width: int  # instants
    before: Ints  # [entities * width + 1] how many places precede a cell

    def place(self, entity: Ints, instant: Ints) -> Ints:
        """The first place of an entity at or after an instant of the grid, which is not before the base."""
        return self.before[entity * self.width + np.minimum((instant - self.base) // self.step, self.width)]


def moving(
    sources: Iterable[Stays], entities: int, base: int, end: int, breaks: Collection[int] = ()
) -> npt.NDArray[np.bool_]:
    """[entities] which have a row that becomes known, enters or leaves a window in (base, end]; others stay.

    `breaks` are instants of the grid at which all move.
    """
    moved = np.full(entities, any(base < instant <= end for instant in breaks))
    for source in sources:
        instants = [source.known, *(each for stay in source.windows.values() for each in (stay.enter, stay.leave))]
        for instant in instants:
            moved[source.rows.entity[(instant > base) & (instant <= end)]] = True
    return moved


def build(
    sources: Collection[Stays], base: int, end: int, breaks: Collection[int] = (), held: Ints | None = None
) -> Timeline:
    """Lay out the places of (base, end] and the base itself, which is an instant of the grid.

    An entity has places from the first instant at which a row about it is known, of whatever source. At each of
    `breaks`, instants of the grid, every entity that is known by then has a place. `held` are entities that are known
    at the base by rows that are not there.
    """
    entities, ticks = [], []
    if held is not None:
        entities.append(held)
        ticks.append(np.full(len(held), base))
    for source in sources:
        entity, known = source.rows.entity, np.maximum(source.known, base)
        entities.append(entity)
        ticks.append(known)
        for each in breaks:
            before = (known < each) & (base < each <= end)
            entities.append(entity[before])
            ticks.append(np.full(int(before.sum()), each))
        for stay in source.windows.values():
            visible = stay.leave > np.maximum(stay.enter, base)
            for instant in (stay.enter, stay.leave):
                new = visible & (instant > known) & (instant <= end)
                entities.append(entity[new])
                ticks.append(instant[new])
    all_entities, all_ticks = np.concatenate(entities), np.concatenate(ticks)
    inside = all_ticks <= end
    all_entities, all_ticks = all_entities[inside], all_ticks[inside]
    step = next((source.step for source in sources), None)
    if step is not None:
        width = (end - base) // step + 1
        codes = [int(each[-1]) for each in (*(source.rows.entity for source in sources), *entities) if len(each)]
        count = 1 + max(codes, default=-1)
        if width * count <= _CELLS + 4 * len(all_entities):
            return _in_cells(all_entities, all_ticks, base, step, width, count)
    distinct, code = np.unique(all_ticks, return_inverse=True)
    key = np.unique(all_entities * (len(distinct) + 1) + code)
    place_entity, place_code = np.divmod(key, len(distinct) + 1)
    return Timeline(
        entity=place_entity,
        tick=distinct[place_code] if len(distinct) else np.empty(0, np.int64),
        base=base,
    )


def _in_cells(entities: Ints, ticks: Ints, base: int, step: int, width: int, count: int) -> Timeline:
    marked = np.zeros(count * width, bool)
    marked[entities * width + (ticks - base) // step] = True
    before = np.zeros(len(marked) + 1, np.int64)
    np.cumsum(marked, out=before[1:])
    place = np.flatnonzero(marked)
    entity, tick = np.divmod(place, width)
    return Timeline(entity, base + tick * step, base, Cells(base, step, width, before))
