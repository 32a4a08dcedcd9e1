"""Rankings that learn nothing, and are hard to beat: what everybody buys, and what one has bought oneself."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError
from limner.workers.evaluation.ranking import Ids, Scored
from limner.workers.evaluation.weighted import Array


@dataclass(frozen=True)
class Events:
    """What was known: entity, item and instant (µs) of each event, before the cut-off. One row each, any order.

    Items are numbered from 0 to `items` - 1.
    """

    entities: Ids
    item: Ids
    instants: npt.NDArray[np.int64]
    items: int

    def before(self, cut_off: int) -> "Events":
        """The events before an instant (µs, exclusive)."""
        known = self.instants < cut_off
        return Events(self.entities[known], self.item[known], self.instants[known], self.items)

    def by_popularity(self) -> "Events":
        """The same with items numbered anew, the one of most entities first: ties of a ranking go to lower numbers."""
        place = np.empty(self.items, dtype=np.int64)
        place[np.argsort(-self.reach(), kind="stable")] = np.arange(self.items)
        return Events(self.entities, place[self.item], self.instants, self.items)

    def reach(self) -> Array:
        """How many entities have each item: (items,)."""
        pairs = np.unique(self.entities * self.items + self.item)
        return np.bincount(pairs % self.items, minlength=self.items).astype(np.float64)


def popularity(events: Events, queries: Ids) -> Scored:
    """Every item for each query, scored by how many entities have it."""
    return Scored(
        np.repeat(queries, events.items),
        np.tile(np.arange(events.items), len(queries)),
        np.tile(events.reach(), len(queries)),
    )


def own_frequency(events: Events, queries: Ids, at: int, half_life: int | None = None) -> Scored:
    """Every item for each query (an entity), scored by its events; those it never had, by popularity below all others.

    `half_life` (µs): an event that is as old as this at the instant `at` counts half. None: all count one.
    """
    if half_life is not None and half_life <= 0:
        raise LimnerError("a half-life is longer than nothing")
    weight = np.ones(len(events.item))
    if half_life is not None:
        weight = np.exp2(-(at - events.instants) / half_life)
    known = np.isin(events.entities, queries)
    order = np.argsort(queries)
    place = order[np.searchsorted(queries[order], events.entities[known])]
    own = np.bincount(
        place * events.items + events.item[known], weight[known], minlength=len(queries) * events.items
    ).reshape(len(queries), events.items)
    reach = events.reach()
    scores = np.where(own > 0, own, -1.0 - (reach.max(initial=0.0) - reach))
    return Scored(np.repeat(queries, events.items), np.tile(np.arange(events.items), len(queries)), scores.reshape(-1))
