"""Packed values back into Arrow, a column at a time: whole slots are taken, no number becomes a Python object."""

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.language.models import LogicalType
    from limner.workers.online.pack import Layout

VERSION = 1
DAMAGED = "an online value is damaged or was written by another version: run `limner materialize` again"
NUMPY = {"int": "<i8", "float": "<f8", "timestamp": "<i8", "bool": "<u1"}
SPAN = struct.Struct("<II")  # offset and length of what lies in the tail
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class Unpacked:
    """Some values of one layout; None is a row of nulls.

    `slots` are their fixed parts, uint8 [rows, layout.size]; `present` says which columns are not null, bool [rows,
    columns].
    """

    def __init__(self, layout: "Layout", values: Sequence[bytes | None]) -> None:
        """LimnerError if a value is of another version or too short: never guess at bytes."""
        self.layout = layout
        self.values = values
        size, missing = layout.size, layout.missing
        fixed = b"".join([missing if value is None else value[:size] for value in values])
        if len(fixed) != size * len(values):
            raise LimnerError(DAMAGED)
        self.slots: Bytes = np.frombuffer(fixed, dtype=np.uint8).reshape(-1, size)
        if (self.slots[:, 0] != VERSION).any():
            raise LimnerError(DAMAGED)
        bits = np.unpackbits(self.slots[:, 1 : 1 + layout.bitmap], axis=1, bitorder="little")
        self.present: Bytes = bits[:, : len(layout.columns)]
        self._whole: list[bool] = np.asarray(self.present.all(axis=0)).tolist()

    def arrow(self, position: int) -> pa.Array:
        """One column."""
        kind, rows, shape = self.layout.types[position], len(self.values), self.layout.shapes[position]
        valid = None if self._whole[position] else pa.py_buffer(self._known(position))
        if shape == "number":
            return pa.Array.from_buffers(kind, rows, [valid, pa.py_buffer(self.slot(position).tobytes())])
        if shape == "bool":
            bits = np.packbits(self.slot(position) != 0, bitorder="little")
            return pa.Array.from_buffers(kind, rows, [valid, pa.py_buffer(bits.tobytes())])
        if shape == "vector":
            offsets, flat = self._vectors(position)
            items = pa.Array.from_buffers(kind.value_type, len(flat) // 4, [None, pa.py_buffer(flat)])
            return pa.Array.from_buffers(kind, rows, [valid, pa.py_buffer(offsets)], children=[items])
        tails = self.tails(position)
        if shape == "text":
            return pa.array(tails, pa.binary()).view(kind)  # a cast would look at the UTF-8 that was checked before
        unpack, base = unpack_map if shape == "map" else unpack_list, self.layout.columns[position].base
        return pa.array([None if raw is None else unpack(raw, base) for raw in tails], kind)

    def slot(self, position: int) -> Bytes:
        """The bytes of a column's slots, [rows, size]; zeros where null."""
        return self.slots[:, self.layout.places[position]]

    def tails(self, position: int) -> list[bytes | None]:
        """The bytes that a column has in the tails."""
        spans = SPAN.iter_unpack(self.slot(position).tobytes())
        known = self.present[:, position].tolist()
        return [
            value[start : start + length] if there and value is not None else None
            for value, there, (start, length) in zip(self.values, known, spans, strict=True)
        ]

    def _known(self, position: int) -> bytes:
        """Which rows are not null, as a bitmap."""
        return np.packbits(self.present[:, position], bitorder="little").tobytes()

    def _vectors(self, position: int) -> tuple[bytes, bytes]:
        """Offsets (int32) and items of a list array."""
        dim, slot = self.layout.columns[position].dim or 0, self.slot(position)
        if self._whole[position]:
            return np.arange(0, dim * len(slot) + 1, dim, dtype=np.int32).tobytes(), slot.tobytes()
        known = self.present[:, position]
        offsets = np.zeros(len(known) + 1, dtype=np.int32)
        np.cumsum(known, dtype=np.int32, out=offsets[1:])
        return (offsets * dim).tobytes(), slot[known.astype(bool)].tobytes()


def unpack_list(raw: bytes, base: "LogicalType") -> list[Any]:
    """The items of a list in a tail: str, int, float, bool, or int µs of timestamps."""
    if base != "string":
        items = np.frombuffer(raw, dtype=NUMPY[base]).tolist()
        return [bool(item) for item in items] if base == "bool" else items
    return _unpack_strings(raw)[0]


def unpack_map(raw: bytes, base: "LogicalType") -> list[tuple[str, Any]]:
    """The entries of a map in a tail, in the order of their keys; values as in `unpack_list`."""
    keys, end = _unpack_strings(raw)
    return list(zip(keys, unpack_list(raw[end:], base), strict=True))


def _unpack_strings(raw: bytes) -> tuple[list[str], int]:
    """The strings of a list, and where its bytes end."""
    (count,) = struct.unpack_from("<I", raw)
    lengths = struct.unpack_from(f"<{count}I", raw, 4)
    at = 4 + 4 * count
    strings = []
    for length in lengths:
        strings.append(raw[at : at + length].decode())
        at += length
    return strings, at
