"""Long texts in pieces, and the vectors of pieces back in one: pure functions, tested without a model or a server."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Pieces:
    """The pieces of some texts, text by text: token ids, and how many tokens each has that no piece before it had.

    Text i has the pieces first[i] to first[i + 1].
    """

    tokens: list[list[int]]
    fresh: list[int]
    first: list[int]

    def groups(self, parts: Sequence[range]) -> list[range]:
        """Ranges of texts as ranges of pieces."""
        return [range(self.first[part.start], self.first[part.stop]) for part in parts]


def cut(encoded: Sequence[Any], most: int, overlap: int, special: int) -> Pieces:
    """At most `most` pieces a text, of encodings that truncation has cut with a stride of `overlap` tokens.

    `special` tokens of each piece are not of the text: those that the tokenizer puts around it.
    """
    tokens: list[list[int]] = []
    fresh: list[int] = []
    first = [0]
    for one in encoded:
        for number, piece in enumerate([one, *one.overflowing][:most]):
            tokens.append(piece.ids)
            fresh.append(len(piece.ids) - special - (overlap if number else 0))
        first.append(len(tokens))
    return Pieces(tokens, fresh, first)


def join(pieces: Pieces, vectors: Floats, normalize: bool) -> Floats:
    """One float32 vector a text: the mean of its pieces' vectors by their fresh tokens, of length 1 if asked for.

    Added up in float64, in the order of the pieces. A text of one piece has that piece's vector, to the last bit.
    """
    first = np.array(pieces.first)
    joined: Floats = vectors[first[:-1]]
    for text in np.flatnonzero(np.diff(first) > 1):
        mine = slice(first[text], first[text + 1])
        weight = np.array(pieces.fresh[mine], np.float64)
        total = (vectors[mine].astype(np.float64) * weight[:, None]).sum(axis=0)
        # The length of the sum and of the mean differ by a factor that falls away.
        size = np.sqrt((total * total).sum()) if normalize else weight.sum()
        joined[text] = total / size if size else total
    return joined
