"""A gated recurrent unit as it is used.

K. Cho et al., Learning Phrase Representations using RNN Encoder-Decoder (2014), in the form that torch has:

    r, z = sigmoid(input + state . W)    n = tanh(input + r * (state . W))    state' = n + z * (state - n)

The vectors of what is read are kept as they are after the input's matrix.
"""

from dataclasses import dataclass

import numpy as np

from limner.workers.models.sequences.fixed import Array, rounded, sigmoid, tanh
from limner.workers.models.sequences.network import CELLS, Network, Weights, checked
from limner.workers.windows.column import Ints


@dataclass(frozen=True)
class Gru(Network):
    """`state` [dim, 3 * dim]; `new` [dim] is the bias of a new state. States lie between -1 and 1."""

    state: Array
    new: Array

    @staticmethod
    def of(arrays: Weights, reads: int) -> "Gru":
        """ValueError where arrays do not fit together."""
        dim = len(arrays.get("state", ()))
        found = checked(arrays, reads, {"state": (dim, 3 * dim), "new": (dim,)}, 3 * dim)
        read = tuple(found[f"read_{place}"] for place in range(reads))
        return Gru(read, found["out"], found["out_bias"], found["state"], found["new"])

    def states(self, sequences: Ints, length: Ints) -> Array:
        """As `Network.states`."""
        found = np.zeros((len(sequences), self.dim))
        order = np.argsort(-length, kind="stable")
        step = max(1, CELLS // (3 * self.dim))
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
            given = self.given(sequences[:left, row])
            kept = before @ self.state
            gates = sigmoid(given[:, : 2 * dim] + kept[:, : 2 * dim])
            new = tanh(given[:, 2 * dim :] + gates[:, :dim] * (kept[:, 2 * dim :] + self.new))
            state[:left] = rounded(new + gates[:, dim:] * (before - new))
        return state
