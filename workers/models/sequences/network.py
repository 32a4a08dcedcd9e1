"""A gated recurrent unit as it is used: exact numbers, many sequences at once. Learning is `training`'s.

K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder (2014), in the form that torch has:

    r, z = sigmoid(input + state . W)    n = tanh(input + r * (state . W))    state' = n + z * (state - n)

What is read of a row has vectors that are added up; these are kept as they are after the input's matrix.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.workers.models.sequences.fixed import BITS, LARGEST, Array, rounded, sigmoid, softmax, tanh
from limner.workers.windows.column import Ints

Weights = Mapping[str, npt.NDArray[np.float32]]
"""`read_0`, `read_1`, ... [places, 3 * dim] of the item, each further column, the gap; `state` [dim, 3 * dim],
`new` [dim] the bias of a new state; `out` [dim, places of items - 1], `out_bias`: of every item and of any other one.
"""
_CELLS = 1 << 21  # numbers of a step at a time: bounds memory to some tens of MB


@dataclass(frozen=True)
class Gru:
    """A network that has learned."""

    read: tuple[Array, ...]
    state: Array
    new: Array
    out: Array
    out_bias: Array

    @staticmethod
    def of(arrays: Weights, reads: int) -> "Gru":
        """ValueError where arrays do not fit together."""
        found = {name: np.asarray(each, np.float64) for name, each in arrays.items()}
        try:
            made = Gru(
                tuple(found.pop(f"read_{place}") for place in range(reads)),
                *(found.pop(name) for name in ("state", "new", "out", "out_bias")),
            )
        except KeyError as error:
            raise ValueError(f"there is no array {error}") from None
        dim = len(made.state)
        shapes = [(made.state, (dim, 3 * dim)), (made.new, (dim,)), (made.out, (dim, len(made.out_bias)))]
        shapes += [(each, (len(each), 3 * dim)) for each in made.read]
        if found or any(each.shape != shape for each, shape in shapes):
            raise ValueError("its arrays do not fit together")
        for each, _ in shapes:
            if not (np.abs(each) <= LARGEST).all() or (each * 2.0**BITS % 1).any():
                raise ValueError("its arrays are not of the numbers it computes with")
        return made

    @property
    def dim(self) -> int:
        """Length of the state."""
        return len(self.state)

    def states(self, sequences: Ints, length: Ints) -> Array:
        """[sequences, dim] between -1 and 1 after the last row of each of `sequences` [sequences, rows, what is read].

        The rows of a sequence begin at 0, oldest first; `length` [sequences] are their numbers, at least 1.
        """
        found = np.zeros((len(sequences), self.dim))
        order = np.argsort(-length, kind="stable")
        step = max(1, _CELLS // (3 * self.dim))
        for begin in range(0, len(order), step):
            some = order[begin : begin + step]
            found[some] = self._longest_first(sequences[some], length[some])
        return found

    def _longest_first(self, sequences: Ints, length: Ints) -> Array:
        dim = self.dim
        state = np.zeros((len(sequences), dim))
        for row in range(int(length.max(initial=0))):
            left = int(np.searchsorted(-length, -row, side="left"))  # sequences that have such a row
            before = state[:left]
            given = self.read[0][sequences[:left, row, 0]]
            for place, each in enumerate(self.read[1:], 1):
                given += each[sequences[:left, row, place]]
            kept = before @ self.state
            gates = sigmoid(given[:, : 2 * dim] + kept[:, : 2 * dim])
            new = tanh(given[:, 2 * dim :] + gates[:, :dim] * (kept[:, 2 * dim :] + self.new))
            state[:left] = rounded(new + gates[:, dim:] * (before - new))
        return state

    def scores(self, states: Array) -> Array:
        """[states, items + 1] how much speaks for any other item, then for each item, of states [states, dim]."""
        found: Array = states @ self.out + self.out_bias
        return found

    def probabilities(self, states: Array) -> Array:
        """[states, items + 1] that add up to 1, as `scores`."""
        return softmax(self.scores(states))
