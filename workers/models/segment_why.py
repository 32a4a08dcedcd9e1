"""Why an entity is in its segment, rather than in the next nearest one: what each feature adds to the difference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.derive.values import Array
from limner.workers.models.given import Given, given
from limner.workers.models.matrix import places
from limner.workers.models.segmentation import NONE, Group, Segmentation
from limner.workers.plan import ViewPlan

MOST = 3
"""So many places of a vector are named."""


@dataclass(frozen=True)
class Nearest:
    """A segment, and how far its nearest point is, in scaled units. `reach` None: it reaches everywhere."""

    id: int
    name: str
    distance: float
    reach: float | None


@dataclass(frozen=True)
class PlacePart:
    """What one feature adds; `places`: of a vector, those that add most, by name; `missing`: null, which is filled."""

    feature: str
    value: Any
    adds: float
    places: tuple[tuple[str, float], ...] = ()
    missing: bool = False


@dataclass(frozen=True)
class SegmentWhy:
    """A segment as it is served, as of `instant` (µs): number 0 is none.

    In a segment, the parts add up to the squared distance of the `other` segment, the next nearest, less that of the
    `nearest`: what is above 0 speaks for the nearest. In none, or where there is no other segment, they add up to the
    squared distance of the nearest: what is large keeps the entity away.
    """

    view: str
    feature: str
    model: str
    version: str
    cut_off: int
    instant: int
    id: int
    name: str
    nearest: Nearest
    other: Nearest | None
    parts: tuple[PlacePart, ...]


@dataclass(frozen=True)
class Asked:
    """Which feature of which view, the version that speaks, and what the entity has, by `view.feature`."""

    plan: ViewPlan
    feature: str
    model: str
    version: str
    cut_off: int
    instant: int
    values: Mapping[str, Any]


def segment_why(asked: Asked, content: Segmentation, root: Path, data: Path) -> SegmentWhy:
    """The part that adds most comes first. LimnerError where nothing is known that the model reads."""
    inputs = given(asked.plan.specs, asked.plan.specs.models[asked.model], root, data)
    if all(asked.values[each.name] is None for each in inputs):
        raise LimnerError(f"nothing is known that model {asked.model} reads, so {asked.feature} is null")
    row = _row(inputs, asked.values)
    scaled = content.scaling.scaled(row)[0]
    squares = (scaled - np.array(content.points)) ** 2
    of, total = np.array(content.of), squares.sum(axis=1)
    group, _ = content.assigned(row)
    points = [int(np.flatnonzero(of == each)[np.argmin(total[of == each])]) for each in range(len(content.groups))]
    order = sorted(range(len(points)), key=lambda each: (total[points[each]], points[each]))
    if group[0] >= 0:  # as it is told, also where another one is as near
        order.sort(key=lambda each: each != group[0])
    near = [_nearest(content.groups[each], float(np.sqrt(total[points[each]]))) for each in order[:2]]
    inside = bool(group[0] >= 0)
    other = near[1] if inside and len(near) > 1 else None
    adds = squares[points[order[1]]] - squares[points[order[0]]] if other is not None else squares[points[order[0]]]
    found = _parts(inputs, asked.values, adds)
    return SegmentWhy(
        view=asked.plan.name,
        feature=asked.feature,
        model=asked.model,
        version=asked.version,
        cut_off=asked.cut_off,
        instant=asked.instant,
        id=near[0].id if inside else 0,
        name=near[0].name if inside else NONE,
        nearest=near[0],
        other=other,
        parts=tuple(sorted(found, key=lambda part: (-abs(part.adds), part.feature))),
    )


def _row(inputs: Sequence[Given], values: Mapping[str, Any]) -> Array:
    """[1, places]."""
    kinds = {each.name: pa.float64() if each.dim is None else pa.list_(pa.float32(), each.dim) for each in inputs}
    said = {name: float(value) if isinstance(value, bool) else value for name, value in values.items()}
    columns = {name: pa.array([said[name]], kind) for name, kind in kinds.items()}
    return places([each.name for each in inputs], [each.dim for each in inputs], columns)


def _nearest(group: Group, distance: float) -> Nearest:
    return Nearest(group.id, group.name, distance, group.reach)


def _parts(inputs: Sequence[Given], values: Mapping[str, Any], adds: Array) -> list[PlacePart]:
    found, begin = [], 0
    for each in inputs:
        width = 1 if each.dim is None else each.dim
        mine = adds[begin : begin + width]
        begin += width
        most = np.argsort(-np.abs(mine), kind="stable")[: MOST if each.dim is not None else 0]
        named = [(each.places[place], float(mine[place])) for place in most]
        found.append(
            PlacePart(
                feature=each.name,
                value=values[each.name],
                adds=float(mine.sum()),
                places=tuple((place.name, by) for place, by in named if place is not None),
                missing=values[each.name] is None,
            )
        )
    return found
