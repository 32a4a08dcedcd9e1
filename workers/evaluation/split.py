"""What is learned from and what is measured on. Where rows have instants, only time divides them.

An example at instant q has a label from rows in (q, q + horizon]. A model with a cut-off knows what came before it; so
it may learn from examples with q + horizon <= cut-off, and is measured on those with q >= cut-off. What lies between
is dropped: its label was not known yet, and reaches into what is measured. Instants and durations are integers of µs.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError

Mask = npt.NDArray[np.bool_]
Instants = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Rows to learn from, rows to measure on, and how many are neither. (rows,) each."""

    train: Mask
    test: Mask

    @property
    def dropped(self) -> int:
        """Rows whose label window straddles the cut-off, or whose entity is on the other side."""
        return int((~self.train & ~self.test).sum())


def by_time(instants: Instants, cut_off: int, horizon: int) -> Split:
    """Divide at a cut-off, with a gap as long as the label's horizon. LimnerError if a side is empty."""
    _positive(horizon)
    return _both(Split(instants + horizon <= cut_off, instants >= cut_off))


def check_windows(train: Instants, test: Instants, horizon: int) -> None:
    """LimnerError if the label window of a row learned from, (q, q + horizon], reaches past an instant measured on."""
    _positive(horizon)
    if not len(train) or not len(test):
        raise LimnerError("a split needs rows to learn from and rows to measure on")
    late = int((train + horizon > test.min()).sum())
    if late:
        raise LimnerError(
            f"{late} of the {len(train)} examples learned from have labels that reach into what is measured: their "
            f"windows end after its first instant. Learn from examples one horizon earlier, or measure later ones"
        )


def unseen(split: Split, entities: npt.NDArray[Any]) -> Split:
    """The split measured only on entities that were not learned from: what a model says of strangers."""
    return _both(Split(split.train, split.test & ~np.isin(entities, entities[split.train])))


def part(keys: Iterable[object], parts: int, seed: int) -> npt.NDArray[np.int64]:
    """Which of `parts` each key belongs to, by a digest of the key and the seed: the same in any order and company.

    For what has no time: folds over entities, or texts. Never for rows that have instants.
    """
    found = (hashlib.blake2b(f"{seed}\0{key}".encode(), digest_size=8).digest() for key in keys)
    return np.array([int.from_bytes(each, "big") % parts for each in found], dtype=np.int64)


def by_digest(keys: Iterable[object], seed: int, tested: int = 5) -> Split:
    """One key in `tested` is measured on, the others learned from."""
    test = part(keys, tested, seed) == 0
    return _both(Split(~test, test))


def _both(split: Split) -> Split:
    for mask, what in ((split.train, "learn from"), (split.test, "measure on")):
        if not mask.any():
            raise LimnerError(f"the split leaves no rows to {what}: move the cut-off, or shorten the label's window")
    return split


def _positive(horizon: int) -> None:
    if horizon <= 0:
        raise LimnerError("a label's window is longer than nothing: its horizon is above 0")
