"""Packed values back into columns: whole slots are taken, no number becomes a Python object."""

import struct
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from limner.language.errors import UnavailableError
from limner.workers.online.batches import FLAT, form_of

if TYPE_CHECKING:
    from limner.language.models import LogicalType
    from limner.workers.online.pack import Layout

VERSION = 1
DAMAGED = "an online value is damaged or was written by another version: run `limner materialize` again"
NUMPY = {"int": "<i8", "float": "<f8", "timestamp": "<i8", "bool": "<u1"}
SPAN = struct.Struct("<II")  # offset and length of what lies in the tail
Bytes = np.ndarray[Any, np.dtype[np.uint8]]


class Unpacked:
    """Some values of one layout; None is a row of nulls."""

    def __init__(self, layout: "Layout", values: Sequence[bytes | None]) -> None:
        """UnavailableError if a value is of another version or too short: never guess at bytes."""
        self.layout = layout
        self.values = values
        size, missing = layout.size, layout.missing
        self._fixed = b"".join([missing if value is None else value[:size] for value in values])
        if len(self._fixed) != size * len(values) or self._fixed[::size].count(VERSION) != len(values):
            raise UnavailableError(DAMAGED)

    @cached_property
    def slots(self) -> Bytes:
        """The fixed parts, [rows, layout.size]."""
        return np.frombuffer(self._fixed, dtype=np.uint8).reshape(-1, self.layout.size)

    @cached_property
    def present(self) -> Bytes:
        """Which columns are not null, 1 or 0 [rows, columns]."""
        layout = self.layout
        bits = np.unpackbits(self.slots[:, 1 : 1 + layout.bitmap], axis=1, bitorder="little")
        return bits[:, : len(layout.columns)]

    def columns(self, positions: Sequence[int]) -> list[pa.Array]:
        """Some columns."""
        flat = tuple(position for position in positions if self.layout.shapes[position] in FLAT)
        found = dict(zip(flat, form_of(self.layout, flat).batch(self).columns, strict=True)) if flat else {}
        return [found[position] if position in found else self._nested(position) for position in positions]

    def _nested(self, position: int) -> pa.Array:
        """A column of lists or maps."""
        column, kind = self.layout.columns[position], self.layout.types[position]
        unpack = unpack_map if column.keyed else unpack_list
        return pa.array([None if raw is None else unpack(raw, column.base) for raw in self.tails(position)], kind)

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

    def texts(self, position: int) -> list[bytes]:
        """The texts of a column as UTF-8; none where null."""
        spans = SPAN.iter_unpack(self.slot(position).tobytes())
        return [value[at : at + size] if value else b"" for value, (at, size) in zip(self.values, spans, strict=True)]


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
