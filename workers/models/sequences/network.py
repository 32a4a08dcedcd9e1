"""What networks have in common as they are used: exact numbers, many sequences at once. Learning is `learning`'s."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.workers.models.sequences.fixed import BITS, LARGEST, Array, softmax
from limner.workers.windows.column import Ints

Weights = Mapping[str, npt.NDArray[np.float32]]
"""Of each network, `read_0`, `read_1`, ... [places, width] of the item, each further column, the gap; and `out`
[dim, places of items - 1], `out_bias`: of any other item, and of every item.
"""
CELLS = 1 << 21  # numbers of a step at a time: bounds memory to some tens of MB


@dataclass(frozen=True)
class Network(ABC):
    """A network that has learned. `read`: what is read of a row has vectors that are added up."""

    read: tuple[Array, ...]
    out: Array
    out_bias: Array

    @property
    def dim(self) -> int:
        """Length of the state."""
        return len(self.out)

    @abstractmethod
    def states(self, sequences: Ints, length: Ints) -> Array:
        """[sequences, dim] after the last row of each of `sequences` [sequences, rows, what is read].

        The rows of a sequence begin at 0, oldest first; `length` [sequences] are their numbers, at least 1. A state
        depends on its own sequence alone, to the last bit.
        """

    def given(self, rows: Ints) -> Array:
        """The vectors of what is read, added up: [..., width] of [..., what is read]."""
        found: Array = self.read[0][rows[..., 0]]
        for place, each in enumerate(self.read[1:], 1):
            found += each[rows[..., place]]
        return found

    def scores(self, states: Array) -> Array:
        """[states, items + 1] how much speaks for any other item, then for each item, of states [states, dim]."""
        found: Array = states @ self.out + self.out_bias
        return found

    def probabilities(self, states: Array) -> Array:
        """[states, items + 1] that add up to 1, as `scores`."""
        return softmax(self.scores(states))


def checked(arrays: Weights, reads: int, shapes: Mapping[str, tuple[int, ...]], width: int) -> dict[str, Array]:
    """All of a network's arrays. ValueError where one lacks, is of another shape, or not of exact numbers."""
    read = {f"read_{place}" for place in range(reads)}
    missing = sorted((read | shapes.keys() | {"out", "out_bias"}) - arrays.keys())
    if missing:
        raise ValueError(f"there is no array {missing[0]!r}")
    found = {name: np.asarray(each, np.float64) for name, each in arrays.items()}
    wanted = {**shapes, **{name: (len(found[name]), width) for name in read}}
    if found.keys() != wanted.keys() | {"out", "out_bias"} or any(
        found[name].shape != shape for name, shape in wanted.items()
    ):
        raise ValueError("its arrays do not fit together")
    if found["out"].ndim != 2 or found["out"].shape[1:] != found["out_bias"].shape:
        raise ValueError("its arrays do not fit together")
    for each in found.values():
        if not (np.abs(each) <= LARGEST).all() or (each * 2.0**BITS % 1).any():
            raise ValueError("its arrays are not of the numbers it computes with")
    return found
