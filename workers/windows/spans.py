"""Spans of places by group: where some row of a group counts, and where the group's rows change.

A group is what a kind looks at one by one within an entity: a value, a category, a day, an instant.
"""

from dataclasses import dataclass

import numpy as np

from limner.workers.windows.column import Bools, Ints


@dataclass(frozen=True)
class Union:
    """Where any row of a group counts: disjoint spans, not touching, sorted by group, then place."""

    group: Ints
    first: Ints
    last: Ints


def union(group: Ints, first: Ints, last: Ints, places: int) -> Union:
    """The union of the spans [first, last) of equal groups; all arrays have shape [rows], places < `places`."""
    order = np.lexsort((first, group))
    group, first, last = group[order], first[order], last[order]
    fresh = new_group(group)
    # An offset a group keeps the running maximum of `last` from leaking into the next group.
    offset = (np.cumsum(fresh) - 1) * (places + 1)
    reach = np.maximum.accumulate(last + offset) if len(last) else last
    start = fresh.copy()
    start[1:] |= first[1:] + offset[1:] > reach[:-1]
    head = np.flatnonzero(start)
    ends = np.append(head[1:], len(start)) - 1 if len(head) else head
    return Union(group[head], first[head], (reach - offset)[ends])


@dataclass(frozen=True)
class Stages:
    """Between two places at which rows of a group come or go nothing about it changes: a stage.

    Stages are sorted by group, then place. The last one of a group is where its last row has gone.
    """

    group: Ints  # [stages] 0..n-1
    place: Ints  # [stages] where it begins; it ends where the group's next one begins
    first: Ints  # [rows] the first stage at which the row counts
    last: Ints  # [rows] the stage from which on it does not

    @property
    def size(self) -> int:
        """Number of stages."""
        return len(self.place)


def stages(group: Ints, first: Ints, last: Ints, places: int) -> Stages:
    """The stages of rows with spans [first, last), all of shape [rows]; a group becomes its rank."""
    dense = np.unique(group, return_inverse=True)[1]
    key = np.concatenate([dense, dense]) * (places + 1) + np.concatenate([first, last])
    distinct, stage = np.unique(key, return_inverse=True)
    rank, place = np.divmod(distinct, places + 1)
    return Stages(rank, place, stage[: len(first)], stage[len(first) :])


def new_group(group: Ints) -> Bools:
    """Where an array of sorted groups goes from one to the next."""
    fresh = np.ones(len(group), bool)
    fresh[1:] = group[1:] != group[:-1]
    return fresh


def expand(start: Ints, width: Ints) -> tuple[Ints, Ints]:
    """The whole numbers of each range [start, start + width), one range after the other, and which range each is of."""
    owner = np.repeat(np.arange(len(width)), width)
    offset = np.cumsum(width) - width
    return np.arange(len(owner)) - np.repeat(offset - start, width), owner
