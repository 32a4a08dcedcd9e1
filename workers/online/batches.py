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
from limner.workers.online.places import Places, padded

if TYPE_CHECKING:
    from limner.workers.online.pack import Layout
    from limner.workers.online.unpack import Unpacked

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
        keys = [pa.field(key, pa.int64())] if key is not None else []
        stamps = [pa.field(EVENT_TIMESTAMP, STAMP)] if stamped else []
        features = [pa.field(layout.columns[n].name, layout.types[n]) for n in positions]
        self.schema = pa.schema([*keys, *features, *stamps])
        self._keyed, self._stamped = len(keys), len(stamps)
        every = list(positions) == list(range(len(layout.columns)))
        self._chosen = slice(None) if every else np.array(positions, dtype=np.intp)
        shapes = [(layout.shapes[n], layout.columns[n].dim or 0) for n in positions]
        columns = [("number", 0)] * self._keyed + shapes + [("number", 0)] * self._stamped
        self._places = lru_cache(maxsize=64)(lambda rows: Places(columns, rows))
        self._runs = _runs([layout.offsets[n] for n in positions if layout.shapes[n] == "number"], self._keyed)
        others = [(at, n, layout.shapes[n], layout.columns[n].dim or 0) for at, n in enumerate(positions, self._keyed)]
        self._bools = [(f"bits_{at}", n) for at, n, shape, _ in others if shape == "bool"]
        self._vectors = [(f"ends_{at}", f"items_{at}", n, dim) for at, n, shape, dim in others if shape == "vector"]
        self._texts = [(f"ends_{at}", n) for at, n, shape, _ in others if shape == "text"]

    def batch(
        self, found: "Unpacked", keys: "Sequence[int] | Words" = (), stamps: Sequence[int | None] = ()
    ) -> pa.RecordBatch:
        """What was found. `keys` and `stamps` (µs UTC), one a row, are the columns beside the layout's."""
        rows, texts = len(found.values), [found.texts(n) for _, n in self._texts]
        places, tails = self._places(rows), [b"".join(parts) for parts in texts]
        size = places.size + sum([padded(len(tail)) for tail in tails])
        words: Words = np.zeros(size // 8, dtype=np.int64)  # zeros pad bitmaps: equal batches have equal bytes
        parts = np.ndarray((), places.parts, words)
        parts["head"] = places.head
        words[BODY_LENGTH] = size - places.head.nbytes

        present, last = found.present[:, self._chosen], len(places.nulls) - self._stamped
        words[places.nulls[self._keyed : last]] = rows - np.add.reduce(present, axis=0)
        bits = np.packbits(present, axis=0, bitorder="little")
        parts["validity"][self._keyed : last, : len(bits)] = bits.T
        numbers = parts["numbers"]
        if self._keyed:
            numbers[0] = keys
        for line, count, offset in self._runs:
            numbers[line : line + count] = found.slots[:, offset : offset + 8 * count].view(np.int64).T
        if self._stamped:
            numbers[-1] = [stamp or 0 for stamp in stamps]
            if None in stamps:
                words[places.nulls[-1]] = stamps.count(None)
                known = [stamp is not None for stamp in stamps]
                parts["validity"][-1, : len(bits)] = np.packbits(known, bitorder="little")

        for bits_of, position in self._bools:
            parts[bits_of][: len(bits)] = np.packbits(found.slot(position)[:, 0], bitorder="little")
        for ends_of, items_of, position, dim in self._vectors:
            parts[ends_of][:] = np.arange(0, rows * dim + 1, dim)
            parts[items_of][:] = found.slot(position)
        free = places.size
        for (ends_of, _), buffer, each, tail in zip(self._texts, places.texts, texts, tails, strict=True):
            parts[ends_of][:] = list(accumulate(map(len, each), initial=0))
            words[buffer : buffer + 2] = free - places.head.nbytes, len(tail)
            words[free // 8 :].view(np.uint8)[: len(tail)] = np.frombuffer(tail, dtype=np.uint8)
            free += padded(len(tail))
        return pa.ipc.read_record_batch(pa.py_buffer(words), self.schema)


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
