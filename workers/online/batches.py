"""Packed values as an Arrow record batch, in one piece.

Made one by one, 23 Arrow arrays take ten times as long as the look-up of the row they come from. So the columns are
laid side by side as the body of an Arrow message, whose head depends on little but the columns and the number of rows,
and Arrow takes them from there without a copy.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from limner.workers.online.message import BODY_LENGTH, Words
from limner.workers.online.places import Places, words_of

if TYPE_CHECKING:
    from limner.workers.online.pack import Layout
    from limner.workers.online.unpack import Bytes, Unpacked

STAMP = pa.timestamp("us", tz="UTC")
EVENT_TIMESTAMP = "event_timestamp"
FLAT = {"number", "bool", "vector", "text"}  # the shapes of columns that a form may have


class Form:
    """Columns of a layout as a record batch, no lists or maps. Perhaps there is a join key (an integer) before them,
    and an event timestamp behind.
    """

    def __init__(
        self, layout: "Layout", positions: Sequence[int], *, key: str | None = None, stamped: bool = False
    ) -> None:
        self.layout, self.positions, self.keyed, self.stamped = layout, list(positions), key is not None, stamped
        keys = [pa.field(key, pa.int64())] if key is not None else []
        stamps = [pa.field(EVENT_TIMESTAMP, STAMP)] if stamped else []
        self.schema = pa.schema(
            [*keys, *(pa.field(layout.columns[n].name, layout.types[n]) for n in positions), *stamps]
        )
        shapes = [(layout.shapes[n], layout.columns[n].dim or 0) for n in positions]
        self._columns = [("number", 0)] * self.keyed + shapes + [("number", 0)] * stamped
        self._all = self.positions == list(range(len(layout.columns)))
        self._runs = _runs([layout.offsets[n] for n in positions if layout.shapes[n] == "number"], int(self.keyed))
        self._texts = [n for n in positions if layout.shapes[n] == "text"]
        self._places = lru_cache(maxsize=64)(lambda rows: Places(self._columns, rows))

    def batch(
        self, found: "Unpacked", keys: "Sequence[int] | Words" = (), stamps: Sequence[int | None] = ()
    ) -> pa.RecordBatch:
        """What was found. `keys` and `stamps` (µs UTC), one a row, are the columns beside the layout's."""
        places, texts = self._places(len(found.values)), [found.texts(n) for n in self._texts]
        tails = [b"".join(parts) for parts in texts]
        start, size = len(places.head), places.size + sum([words_of(len(tail)) for tail in tails])
        words = np.empty(start + size, dtype=np.int64)
        body = words[start:]
        words[:start] = places.head
        words[BODY_LENGTH] = 8 * size

        present = self._present(found, stamps)
        rows, columns = present.shape
        words[places.nulls] = rows - np.add.reduce(present, axis=0)
        bits = np.packbits(present, axis=0, bitorder="little")
        body[: places.numbers].view(np.uint8).reshape(columns, 8 * places.bitmap)[:, : len(bits)] = bits.T

        numbers = body[places.numbers : places.others].reshape(places.lines, rows)
        if self.keyed:
            numbers[0] = keys
        for line, count, offset in self._runs:
            numbers[line : line + count] = found.slots[:, offset : offset + 8 * count].view(np.int64).T
        if self.stamped:
            numbers[-1] = [stamp or 0 for stamp in stamps]

        for column, at in places.bools:
            bits = np.packbits(found.slot(self.positions[column - self.keyed])[:, 0] != 0, bitorder="little")
            body[at:].view(np.uint8)[: len(bits)] = bits
        for column, at, dim in places.vectors:
            body[at:].view(np.int32)[: rows + 1] = np.arange(0, rows * dim + 1, dim)
            items = body[at + places.ends :].view(np.uint8)[: 4 * rows * dim]
            items.reshape(rows, 4 * dim)[:] = found.slot(self.positions[column - self.keyed])
        free = places.size
        for (_, at, buffer), parts, tail in zip(places.texts, texts, tails, strict=True):
            body[at:].view(np.int32)[: rows + 1] = list(accumulate(map(len, parts), initial=0))
            body[free:].view(np.uint8)[: len(tail)] = np.frombuffer(tail, dtype=np.uint8)
            words[buffer : buffer + 2] = 8 * free, len(tail)
            free += words_of(len(tail))
        return pa.ipc.read_record_batch(pa.py_buffer(words), self.schema)

    def _present(self, found: "Unpacked", stamps: Sequence[int | None]) -> "Bytes":
        """Which are not null, [rows, columns]."""
        inner = found.present if self._all else found.present[:, self.positions]
        if not self.keyed and not self.stamped:
            return inner
        present = np.ones((len(found.values), len(self._columns)), dtype=np.uint8)
        present[:, self.keyed : self.keyed + len(self.positions)] = inner
        if self.stamped:
            present[:, -1] = [stamp is not None for stamp in stamps]
        return present


@lru_cache(maxsize=256)
def form_of(layout: "Layout", positions: tuple[int, ...]) -> Form:
    """The same form for the same columns."""
    return Form(layout, positions)


def _runs(offsets: Sequence[int], first_line: int) -> list[tuple[int, int, int]]:
    """Numbers that lie one behind the other: line of the first, how many, offset."""
    runs: list[tuple[int, int, int]] = []
    for line, offset in enumerate(offsets, first_line):
        if runs and offset == runs[-1][2] + 8 * runs[-1][1]:
            first, count, at = runs[-1]
            runs[-1] = (first, count + 1, at)
        else:
            runs.append((line, 1, offset))
    return runs
