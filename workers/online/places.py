"""Where the parts of a record batch lie in its Arrow message, for some columns and some number of rows.

    validity   a bitmap a column
    numbers    rows x 64 bits a column
    others     bools: a bitmap; vectors: rows + 1 offsets, then the items; texts: rows + 1 offsets
    texts      of which nobody knows the length beforehand

Each part begins at a whole 64-bit word. Words are counted from the begin of the body.
"""

from collections.abc import Sequence

import numpy as np

from limner.workers.online.message import Pair, buffer_at, head, nulls_at


def words_of(size: int) -> int:
    """How many words some bytes fill."""
    return -(-size // 8)


class Places:
    """`bools`, `vectors` and `texts` have the number of the column and the word where it begins; vectors also how many
    items one has, texts the word of the head that is to say where they lie.
    """

    def __init__(self, columns: Sequence[tuple[str, int]], rows: int) -> None:
        """Columns have a shape and a dimension (0 if they are no vectors)."""
        bitmap, ends = words_of(-(-rows // 8)), words_of(4 * (rows + 1))
        line = len(columns) * bitmap
        self.bitmap, self.ends, self.numbers = bitmap, ends, line
        self.lines = sum(shape == "number" for shape, _ in columns)
        self.others = free = line + rows * self.lines
        self.bools: list[tuple[int, int]] = []
        self.vectors: list[tuple[int, int, int]] = []
        texts: list[tuple[int, int, int]] = []
        nodes: list[Pair] = []
        buffers: list[Pair] = []
        nulls = []
        for column, (shape, dim) in enumerate(columns):
            nulls.append(nulls_at(len(nodes)))
            nodes.append((rows, 0))
            buffers.append((8 * bitmap * column, 8 * bitmap))
            if shape == "number":
                buffers.append((8 * line, 8 * rows))
                line += rows
            elif shape == "bool":
                self.bools.append((column, free))
                buffers.append((8 * free, 8 * bitmap))
                free += bitmap
            elif shape == "vector":
                self.vectors.append((column, free, dim))
                nodes.append((rows * dim, 0))
                buffers += [(8 * free, 4 * (rows + 1)), (0, 0), (8 * (free + ends), 4 * rows * dim)]
                free += ends + words_of(4 * rows * dim)
            else:
                texts.append((column, free, len(buffers) + 1))
                buffers += [(8 * free, 4 * (rows + 1)), (0, 0)]
                free += ends
        self.size = free
        self.head = head(rows, nodes, buffers)
        self.nulls = np.array(nulls, dtype=np.intp)
        self.texts = [(column, at, buffer_at(len(nodes), buffer)) for column, at, buffer in texts]
