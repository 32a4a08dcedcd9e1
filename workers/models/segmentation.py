"""Segments as data: how rows are scaled, the points that segments are drawn around, and what is said of each."""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field, model_validator

from limner.workers.derive import numbers
from limner.workers.derive.values import Array
from limner.workers.models.learned import Data
from limner.workers.models.matrix import places

NONE = "none"
_AT_ONCE = 1 << 20  # distances in memory

Floats = tuple[float, ...]


class Scaling(Data):
    """`(x - center) / width`, a place each; where x is null, `fill` stands for it.

    `logarithms`: of the numbers, not the vectors, `sign(x) * ln(1 + |x|)` is taken before.
    """

    dims: tuple[int | None, ...]  # of each input; None: a number
    logarithms: bool
    fill: Floats
    center: Floats
    width: Floats

    @property
    def number(self) -> Array:
        """[places] whether a place is that of a number."""
        return np.array([dim is None for dim in self.dims for _ in range(1 if dim is None else dim)], bool)

    def scaled(self, rows: Array) -> Array:
        """[rows, places] without nulls."""
        found = logarithms(rows, self.number) if self.logarithms else rows
        found = np.where(np.isnan(found), np.array(self.fill), found)
        result: Array = (found - np.array(self.center)) / np.array(self.width)
        return result


def logarithms(rows: Array, chosen: Array) -> Array:
    """`sign(x) * ln(1 + |x|)` of the chosen columns; null stays null."""
    found = rows.copy()
    for place in np.flatnonzero(chosen):
        column = rows[:, place]
        known = ~np.isnan(column)
        with np.errstate(invalid="ignore"):  # 0 / 0, which is not taken
            found[known, place] = np.sign(column[known]) * numbers.log1p(np.abs(column[known]))
    return found


class Group(Data):
    """One segment: its lasting number and name, how many of those it was learned from are in it.

    `reach`: an entity that is farther from all points of the segment is not in it; None: it reaches everywhere.
    `apart`: what sets it apart, by the largest differences from all, in standard deviations.
    """

    id: Annotated[int, Field(ge=1)]
    name: str
    size: int
    reach: float | None = None
    apart: tuple[tuple[str, float], ...] = ()


class Changes(Data):
    """What became of the segments of the version before, told by the entities that both versions know.

    `moved`: how many of `entities` go from one number to another when this version begins to speak, by (from, to);
    `sample`: the keys of some of them, with (from, to).
    """

    version: str
    kept: tuple[int, ...]
    new: tuple[int, ...]
    gone: tuple[int, ...]
    entities: int
    moved: tuple[tuple[int, int, int], ...]  # from, to, how many
    sample: tuple[tuple[tuple[int | str, ...], int, int], ...]

    @property
    def movers(self) -> int:
        """How many entities move."""
        return sum(count for _, _, count in self.moved)


class Segmentation(Data):
    """A version's content. An entity is in the segment of the nearest of `points`, the first of equally near ones,
    if that is within the segment's reach, and in none otherwise. `of`: the place in `groups` of each point.

    `next`: the number of the next new segment: those of segments that are gone are not given again.
    """

    inputs: tuple[str, ...]
    scaling: Scaling
    points: Annotated[tuple[Floats, ...], Field(min_length=1)]
    of: tuple[int, ...]
    groups: Annotated[tuple[Group, ...], Field(min_length=1)]
    next: int
    changes: Changes | None = None

    @model_validator(mode="after")
    def _fits(self) -> "Segmentation":
        widths = {len(self.scaling.number), *(len(each) for each in self.points)}
        widths |= {len(each) for each in (self.scaling.fill, self.scaling.center, self.scaling.width)}
        if len(widths) != 1 or len(self.scaling.dims) != len(self.inputs) or len(self.of) != len(self.points):
            raise ValueError("points, scales and inputs are not of one length")
        if any(not 0 <= each < len(self.groups) for each in self.of):
            raise ValueError("a point is of a segment that there is not")
        return self

    def assigned(self, rows: Array) -> tuple[Array, Array]:
        """[rows] the place in `groups` (-1: none) and the distance to the nearest point; each depends on its row alone.

        `rows` [rows, places], NaN for null.
        """
        reach = np.array([np.inf if each.reach is None else each.reach for each in self.groups])
        return assigned(self.scaling.scaled(rows), np.array(self.points), np.array(self.of, np.int64), reach)

    def says(self, wanted: str, columns: Mapping[str, pa.Array]) -> pa.Array:
        """[rows] `id`, `name` or `distance`; null where all inputs are."""
        rows = places(self.inputs, self.scaling.dims, columns)
        group, distance = self.assigned(rows)
        nothing = np.isnan(rows).all(axis=1)
        match wanted:
            case "id":
                return pa.array(np.array([*(each.id for each in self.groups), 0], np.int64)[group], mask=nothing)
            case "name":
                names = pa.array([*(each.name for each in self.groups), NONE], pa.string())
                return names.take(pa.array(group % len(names), mask=nothing))
        return pa.array(distance + 0.0, mask=nothing)


def assigned(scaled: Array, points: Array, of: Array, reach: Array) -> tuple[Array, Array]:
    """[rows] the group of the nearest point, -1 where that is out of the group's reach; and how far the point is.

    `points` [points, places], `of` [points] the group of each, `reach` [groups].
    """
    point, distance = nearest(scaled, points)
    group = of[point]
    return np.where(distance <= reach[group], group, -1), distance


def nearest(rows: Array, points: Array) -> tuple[Array, Array]:
    """[rows] the nearest of the points, and how far it is. Squares are added up one place after the other."""
    found, distance = np.zeros(len(rows), np.int64), np.zeros(len(rows))
    step = max(1, _AT_ONCE // len(points))
    for begin in range(0, len(rows), step):
        some = rows[begin : begin + step]
        squares = np.zeros((len(some), len(points)))
        for place in range(rows.shape[1]):
            apart = some[:, place, None] - points[None, :, place]
            squares += apart * apart
        found[begin : begin + step] = squares.argmin(axis=1)
        distance[begin : begin + step] = np.sqrt(squares.min(axis=1))
    return found, distance
