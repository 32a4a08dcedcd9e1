"""Where the parts of a record batch lie in its Arrow message, for some columns and some number of rows."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from limner.workers.online.message import Pair, buffer_at, head, nulls_at


def padded(size: int) -> int:
    """Bytes up to the next whole 64-bit word, where a part may begin."""
    return -(-size // 8) * 8


class Places:
    """`parts` is one number of rows as a NumPy type of `size` bytes, all but the texts, which come behind it:

    head        (see `message`)
    validity    a bitmap a column
    numbers     64 bits a row, a line a column
    bits_N      of bools: a bitmap
    ends_N      of vectors and texts: rows + 1 offsets
    items_N     of vectors: 4 x dim bytes a row

    N counts the columns. `nulls` are the words of the head that say how many a column has, `texts` those that say where
    its texts lie.
    """

    def __init__(self, columns: Sequence[tuple[str, int]], rows: int) -> None:
        """Columns have a shape and a dimension (0 if they are no vectors)."""
        self._parts: list[tuple[str, Any, int]] = []
        self.body = 0
        bitmap = padded(-(-rows // 8))
        numbers = sum(shape == "number" for shape, _ in columns)
        valid, _ = self._place("validity", np.uint8, len(columns), bitmap)
        line, _ = self._place("numbers", np.int64, numbers, rows)
        nodes: list[Pair] = []
        buffers: list[Pair] = []
        nulls, texts = [], []
        for column, (shape, dim) in enumerate(columns):
            nulls.append(nulls_at(len(nodes)))
            nodes.append((rows, 0))
            buffers.append((valid + column * bitmap, bitmap))
            if shape == "number":
                buffers.append((line, 8 * rows))
                line += 8 * rows
            elif shape == "bool":
                buffers.append(self._place(f"bits_{column}", np.uint8, bitmap))
            else:
                buffers += [self._place(f"ends_{column}", np.int32, rows + 1), (0, 0)]
            if shape == "vector":
                nodes.append((rows * dim, 0))
                buffers.append(self._place(f"items_{column}", np.uint8, rows, 4 * dim))
            if shape == "text":
                texts.append(len(buffers) - 1)
        self.head = head(rows, nodes, buffers)
        self.size = self.head.nbytes + self.body
        self.nulls = np.array(nulls, dtype=np.intp)
        self.texts = [buffer_at(len(nodes), buffer) for buffer in texts]
        names, kinds, offsets = zip(("head", (np.int64, self.head.shape), -self.head.nbytes), *self._parts, strict=True)
        self.parts = np.dtype(
            {
                "names": names,
                "formats": kinds,
                "offsets": [self.head.nbytes + offset for offset in offsets],
                "itemsize": self.size,
            }
        )

    def _place(self, name: str, kind: Any, *shape: int) -> Pair:
        """The offset of a part in the body, and its bytes."""
        at, size = self.body, np.dtype(kind).itemsize * prod(shape)
        self._parts.append((name, (kind, shape), at))
        self.body += padded(size)
        return at, size
