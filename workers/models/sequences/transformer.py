"""A Transformer of one layer and one head as it is used.

A. Vaswani et al., Attention Is All You Need (2017), normalized before each part (R. Xiong et al., 2020):

    x = what is read + place    y = x + attention(norm(x))    z = y + relu(norm(y) . W + b) . V + c    state = norm(z)

Only the last row of a sequence asks; it looks at all rows. What norms scale and shift by is in the matrices after them.
"""

from dataclasses import dataclass

import numpy as np

from limner.workers.models.sequences.fixed import FAR, Array, clipped, norm, softmax
from limner.workers.models.sequences.network import CELLS, Network, Weights, checked
from limner.workers.windows.column import Ints

WIDER = 2  # how many times as wide as the state its middle is
_SHARES = 2.0**26


@dataclass(frozen=True)
class Transformer(Network):
    """`place` [rows, dim]; `ask`, `key`, `value`, `mix` [dim, dim], `wide` [dim, 2 * dim], `back` [2 * dim, dim].

    The score of a row is divided by the square root of `dim` in `ask`. Each matrix has a bias.
    """

    place: Array
    ask: Array
    ask_bias: Array
    key: Array
    key_bias: Array
    value: Array
    value_bias: Array
    mix: Array
    mix_bias: Array
    wide: Array
    wide_bias: Array
    back: Array
    back_bias: Array

    @staticmethod
    def of(arrays: Weights, reads: int) -> "Transformer":
        """ValueError where arrays do not fit together."""
        dim, wide = len(arrays.get("ask", ())), WIDER * len(arrays.get("ask", ()))
        shapes: dict[str, tuple[int, ...]] = {"place": (len(arrays.get("place", ())), dim)}
        sizes = dict.fromkeys(("ask", "key", "value", "mix"), (dim, dim)) | {"wide": (dim, wide), "back": (wide, dim)}
        for name, shape in sizes.items():
            shapes |= {name: shape, f"{name}_bias": shape[1:]}
        found = checked(arrays, reads, shapes, dim)
        read = tuple(found.pop(f"read_{place}") for place in range(reads))
        return Transformer(read=read, **found)

    def states(self, sequences: Ints, length: Ints) -> Array:
        """As `Network.states`."""
        found = np.zeros((len(sequences), self.dim))
        order = np.argsort(length, kind="stable")  # those of about a length together
        step = max(1, CELLS // (max(1, sequences.shape[1]) * self.dim))
        for begin in range(0, len(order), step):
            some = order[begin : begin + step]
            found[some] = self._together(sequences[some, : int(length[some].max())], length[some])
        return found

    def _together(self, sequences: Ints, length: Ints) -> Array:
        rows = np.arange(sequences.shape[1])
        x = clipped(self.given(sequences) + self.place[: len(rows)])
        last = x[np.arange(len(x)), length - 1]
        seen = norm(x)
        asked = clipped(norm(last) @ self.ask + self.ask_bias)
        keys = clipped(seen @ self.key + self.key_bias)
        values = clipped(seen @ self.value + self.value_bias)
        scores = np.where(rows < length[:, None], (keys @ asked[:, :, None])[:, :, 0], -np.inf)
        share = softmax(np.maximum(scores, scores.max(axis=1, keepdims=True) - FAR))
        share = np.rint(share * _SHARES) / _SHARES  # they add up to 1, so that sums are exact, too
        found = clipped((share[:, None, :] @ values)[:, 0])
        y = clipped(last + (found @ self.mix + self.mix_bias))
        wide = clipped(np.maximum(norm(y) @ self.wide + self.wide_bias, 0.0))
        return norm(clipped(y + (wide @ self.back + self.back_bias)))
