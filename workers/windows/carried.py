"""Sums that one run hands on to the next: a value over a window is what was in it, and what has come and gone since.

A run that goes on where another one ended does not need the rows that stay in a window throughout. They add the same at
all places of an entity: what the window held at the beginning, less those rows among it that were read again because
they leave. Sums are exact, so this gives the very numbers that all rows would.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.language import features as f
from limner.language.outputs import Output
from limner.language.windows import Since
from limner.workers.windows import exact, sums
from limner.workers.windows.timeline import Ints, Timeline


class UnlikeStateError(Exception):
    """What was handed on does not belong to the rows that are there."""


@dataclass(frozen=True)
class State:
    """What windows hold at one instant: a row of `keys` for each entity known by then, in any order.

    `sums`: by output, the counts and totals that it is made of, in the order in which its kind asks for them; without
    an output all are 0.
    """

    keys: pa.Table
    sums: Mapping[str, tuple[exact.Limbs, ...]]

    def find(self, keys: pa.Table) -> Ints:
        """[rows of keys] the rows of these entities, -1 for those that are not there."""
        names = keys.column_names
        if len(names) == 1:
            found = pc.index_in(keys[names[0]], value_set=self.keys[names[0]].combine_chunks())
        else:
            mine = self.keys.select(names).append_column("__mine", pa.array(np.arange(len(self.keys))))
            asked = keys.append_column("__asked", pa.array(np.arange(len(keys))))
            found = asked.join(mine, names, join_type="left outer").sort_by("__asked")["__mine"]
        return np.asarray(found.fill_null(-1).cast(pa.int64()).to_numpy(), np.int64)

    def with_changes(self, new: "State") -> "State":
        """This state with the entities of `new` as they are there."""
        if not len(new.keys) or not len(self.keys):
            return new if len(new.keys) else self
        none = sums.zeros(len(self.keys))
        place = self.find(new.keys)
        old = place >= 0
        source = np.arange(len(self.keys))
        source[place[old]] = len(self.keys) + np.flatnonzero(old)
        source = np.concatenate([source, len(self.keys) + np.flatnonzero(~old)])
        return State(
            pa.concat_tables([self.keys, new.keys.filter(pa.array(~old))]).combine_chunks(),
            {
                name: tuple(
                    sums.compact(sums.take(sums.concat(pair), source))
                    for pair in zip(self.sums.get(name, [none] * len(each)), each, strict=True)
                )
                for name, each in new.sums.items()
            },
        )

    def with_known(self, keys: pa.Table) -> "State":
        """This state with entities that are known but may not be there: their windows are empty."""
        more = keys.filter(pa.array(self.find(keys) < 0))
        some = np.append(np.arange(len(self.keys)), np.full(len(more), -1))
        return State(
            pa.concat_tables([self.keys, more]).combine_chunks(),
            {name: tuple(sums.take(each, some) for each in found) for name, found in self.sums.items()},
        )


def together(states: Sequence[State]) -> State:
    """States of different entities as one; at least one."""
    some = [each for each in states if len(each.keys)]
    return State(
        pa.concat_tables([each.keys for each in states]).combine_chunks(),
        {
            name: tuple(
                sums.compact(sums.concat(parts)) for parts in zip(*(each.sums[name] for each in some), strict=True)
            )
            for name in (some[0].sums if some else ())
        },
    )


@dataclass(frozen=True)
class Edges:
    """The first and last place of each entity that has places, and whose each place is: positions in `entity`."""

    entity: Ints  # [entities] its code
    first: Ints  # [entities]
    last: Ints  # [entities]
    owner: Ints  # [places]


def edges(line: Timeline) -> Edges:
    """The edges of a timeline."""
    fresh = np.ones(line.size, bool)
    fresh[1:] = line.entity[1:] != line.entity[:-1]
    first = np.flatnonzero(fresh)
    return Edges(line.entity[first], first, np.append(first[1:], line.size) - 1, np.cumsum(fresh) - 1)


@dataclass
class Sums:
    """The counts and totals of one output at all places, `before` being what was handed on; and what is handed on then.

    `known`: [entities with places] their rows of `before`, -1 for those that are new.
    """

    edges: Edges
    known: Ints
    before: Sequence[exact.Limbs] | None = None
    after: list[exact.Limbs] = field(default_factory=list)

    def count(self, read: Ints) -> Ints:
        """[places] how many rows there are, of the rows that were read."""
        found = self.total(exact.Limbs(read[None], 0)).limb
        result: Ints = found[0].copy()
        for place, limb in enumerate(found[1:], 1):
            result += limb << (place * exact.LIMB)
        return result

    def total(self, read: exact.Limbs) -> exact.Limbs:
        """[places] the total of all rows, of those that were read."""
        if self.before is not None:
            held = sums.take(self.before[len(self.after)], self.known)
            again = sums.take(read, np.where(self.known < 0, -1, self.edges.first))
            read = sums.add(read, sums.take(sums.subtract(held, again), self.edges.owner))
        self.after.append(sums.take(read, self.edges.last))
        return read


_SUMMED = (f.Count, f.Sum, f.Mean, f.Std, f.Share, f.Trend, f.Histogram)


def is_carried(output: Output) -> bool:
    """Whether a value can be made of counts and totals that were handed on and the rows that came and went."""
    feature = output.feature
    if any(isinstance(window, Since) for window in feature.looks(output.window)):
        return False
    if isinstance(feature, f.TextStatistic):
        return feature.pool in ("mean", "sum", "std")
    if isinstance(feature, f.Categorized) and feature.by is not None:
        return False
    if isinstance(feature, f.Count) and feature.distinct:
        return False
    return isinstance(feature, _SUMMED)
