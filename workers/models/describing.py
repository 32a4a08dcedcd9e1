"""From groups to a version's content: which is which earlier segment, who moves, and what sets each apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from limner.workers.derive.population import sample
from limner.workers.derive.values import Array
from limner.workers.models.clustering import Clusters
from limner.workers.models.given import Given
from limner.workers.models.matching import matched, moves, numbered
from limner.workers.models.naming import apart, name_of
from limner.workers.models.segmentation import Changes, Group, Scaling, Segmentation

MOVERS = 10
"""The keys of so many entities that move are told."""
_PLACE = "__place"


@dataclass(frozen=True)
class Entities:
    """Join keys, and `rows` [entities, places] of what is known of each, NaN for null; both sorted by the keys."""

    keys: pa.Table
    rows: Array

    def some(self, count: int, among: Array | None = None) -> Array:
        """The places of so many of them, rising: those whose keys' hash is least. `among`: places to choose from."""
        numbers = pa.array(np.arange(len(self.keys)) if among is None else among)
        chosen = sample(self.keys.take(numbers).append_column(_PLACE, numbers), self.keys.column_names, count)
        return np.asarray(chosen[_PLACE].to_numpy(), np.int64)


def described(
    given: Sequence[Given],
    scaling: Scaling,
    clusters: Clusters,
    entities: Entities,
    before: tuple[str, Segmentation] | None,
) -> Segmentation:
    """The content of the version that is made of `clusters`; `before`: the ID and the content of the one before it."""
    scaled = scaling.scaled(entities.rows)
    group, count = clusters.assigned(scaled), len(clusters.reach)
    earlier = before[1].groups if before is not None else ()
    was = before[1].assigned(entities.rows)[0] if before is not None else np.full(len(group), -1)
    match = matched(was, group, len(earlier), count) if before is not None else {}
    ids, free = numbered(match, [each.id for each in earlier], count, before[1].next if before is not None else 1)
    differences = apart(scaled, [place for each in given for place in each.places], group, count)
    names = {new: earlier[old].name for new, old in match.items()}
    for each in range(count):
        if each not in names:
            names[each] = name_of(differences[each], ids[each], names.values())
    groups = tuple(
        Group(
            id=ids[each],
            name=names[each],
            size=int((group == each).sum()),
            reach=float(clusters.reach[each]) if np.isfinite(clusters.reach[each]) else None,
            apart=tuple((place.name, by) for place, by in differences[each]),
        )
        for each in range(count)
    )
    return Segmentation(
        inputs=tuple(each.name for each in given),
        scaling=scaling,
        points=tuple(map(tuple, clusters.points.tolist())),
        of=tuple(clusters.of.tolist()),
        groups=groups,
        next=free,
        changes=None if before is None else _changes(before[0], earlier, groups, entities, was, group),
    )


def _changes(
    version: str, earlier: Sequence[Group], groups: Sequence[Group], entities: Entities, was: Array, now: Array
) -> Changes:
    before, after = _ids(earlier, was), _ids(groups, now)
    known, there = {each.id for each in earlier}, {each.id for each in groups}
    some = entities.some(MOVERS, np.flatnonzero(before != after))
    keys = zip(*(entities.keys.take(pa.array(some)).to_pydict().values()), strict=True)
    return Changes(
        version=version,
        kept=tuple(sorted(known & there)),
        new=tuple(sorted(there - known)),
        gone=tuple(sorted(known - there)),
        entities=len(entities.rows),
        moved=moves(before, after),
        sample=tuple(zip(keys, before[some].tolist(), after[some].tolist(), strict=True)),
    )


def _ids(groups: Sequence[Group], place: Array) -> Array:
    """[entities] the numbers of segments at these places; of -1 0."""
    found: Array = np.array([*(each.id for each in groups), 0], np.int64)[place]
    return found
