"""The packed value: all columns of a view for one entity as one little-endian byte string.

    byte 0          version of this layout (1)
    bitmap          one bit a column, least significant first; set where the value is not null
    slots           one a column: int64, float64 and timestamp (int64 µs) 8 bytes, bool 1 byte, a vector
                    dim x float32, a string, list or map 8 bytes: uint32 offset from the start of the value
                    and uint32 length in bytes
    tail            UTF-8 strings; a list of strings is a uint32 count, a uint32 length each, then the
                    strings; other lists are their items, 8 bytes each (bool: 1); a map is the list of its
                    keys, then the list of its values

A column costs one `struct.unpack_from` to read, and the columns that nobody asked for cost nothing.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError, UnavailableError
from limner.workers.arrow_types import arrow_type
from limner.workers.online.unpack import DAMAGED, NUMPY, SPAN, VERSION, Unpacked, unpack_list, unpack_map

if TYPE_CHECKING:  # pydantic is half of the time that importing `limner.Store` would take
    from limner.language.models import LogicalType

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ITEM = {
    "int": struct.Struct("<q"),
    "float": struct.Struct("<d"),
    "timestamp": struct.Struct("<q"),
    "bool": struct.Struct("<?"),
}
Shape = Literal["number", "bool", "vector", "text", "list", "map"]


@dataclass(frozen=True)
class Column:
    """A feature: a scalar of `base`, a list of `base` (`many`), a float32 vector of `dim` values, or a map from
    text to `base` (`keyed`).

    `encoder` is the fingerprint of the encoder that made a vector of texts.
    """

    name: str
    base: "LogicalType"
    many: bool = False
    dim: int | None = None
    keyed: bool = False
    encoder: str | None = None

    @property
    def arrow(self) -> pa.DataType:
        """Its Arrow type in a history and in answers."""
        return arrow_type(self.base, many=self.many, dim=self.dim, keyed=self.keyed)

    @property
    def shape(self) -> Shape:
        """What it is made of."""
        if self.keyed:
            return "map"
        if self.dim is not None:
            return "vector"
        if self.many:
            return "list"
        return "text" if self.base == "string" else "bool" if self.base == "bool" else "number"

    @property
    def tailed(self) -> bool:
        """Whether its bytes lie in the tail."""
        return self.keyed or (self.dim is None and (self.many or self.base == "string"))

    @property
    def size(self) -> int:
        """Bytes of its slot."""
        if self.dim is not None:
            return 4 * self.dim
        return 1 if self.base == "bool" and not self.tailed else 8


class Layout:
    """Where each column of a view lies in a packed value."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.bitmap = (len(self.columns) + 7) // 8
        at = 1 + self.bitmap
        offsets = []
        for column in self.columns:
            offsets.append(at)
            at += column.size
        self.offsets = tuple(offsets)
        self.size = at

    @cached_property
    def types(self) -> tuple[pa.DataType, ...]:
        """The Arrow type of each column."""
        return tuple(column.arrow for column in self.columns)

    @cached_property
    def places(self) -> tuple[slice, ...]:
        """The bytes of each column's slot."""
        return tuple(slice(at, at + column.size) for at, column in zip(self.offsets, self.columns, strict=True))

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """What each column is made of."""
        return tuple(column.shape for column in self.columns)

    @cached_property
    def missing(self) -> bytes:
        """The fixed part of a row of nulls."""
        return bytes((VERSION,)).ljust(self.size, b"\0")

    @cached_property
    def index(self) -> dict[str, int]:
        """Column name to position."""
        return {column.name: position for position, column in enumerate(self.columns)}

    def pack(self, table: pa.Table | pa.RecordBatch) -> list[bytes]:
        """One value a row; `table` has the layout's columns by name, in the types of `Column.arrow`.

        LimnerError if a vector has another length than its column's `dim`.
        """
        rows = table.num_rows
        fixed = np.zeros((rows, self.size), dtype=np.uint8)
        fixed[:, 0] = VERSION
        ends = np.full(rows, self.size, dtype=np.int64)
        tails: list[list[bytes]] = []
        for position, column in enumerate(self.columns):
            array = _flat(table.column(column.name), self.types[position])
            slot = fixed[:, self.offsets[position] : self.offsets[position] + column.size]
            valid = array.is_valid().to_numpy(zero_copy_only=False)
            fixed[:, 1 + position // 8] |= np.left_shift(valid, position % 8, dtype=np.uint8, casting="unsafe")
            if column.tailed:
                tails.append(_tails(array, column))
                lengths = np.fromiter(map(len, tails[-1]), np.int64, rows)
                spans = np.stack((ends, lengths), axis=1).astype("<u4")
                spans[~valid] = 0
                slot[:] = spans.view(np.uint8)
                ends += lengths
            else:
                slot[valid] = _slots(array.drop_null(), column)
        whole = fixed.tobytes()
        heads = [whole[at : at + self.size] for at in range(0, rows * self.size, self.size)]
        return list(map(b"".join, zip(heads, *tails, strict=True))) if tails else heads

    def check(self, value: bytes) -> None:
        """UnavailableError if `value` is of another version or too short: never guess at bytes."""
        if len(value) < self.size or value[0] != VERSION:
            raise UnavailableError(DAMAGED)

    def raw(self, value: bytes, position: int) -> bytes | None:
        """The bytes of one column, None where null; of a tailed column, those in the tail."""
        if not value[1 + position // 8] >> (position % 8) & 1:
            return None
        start, column = self.offsets[position], self.columns[position]
        if column.tailed:
            start, length = SPAN.unpack_from(value, start)
            return value[start : start + length]
        return value[start : start + column.size]

    def get(self, value: bytes, position: int) -> Any:
        """One column as a Python value: vectors as lists of float, timestamps as aware datetimes, maps as dicts."""
        raw = self.raw(value, position)
        column = self.columns[position]
        if raw is None:
            return None
        if column.keyed:
            return {key: _python(item, column.base) for key, item in unpack_map(raw, column.base)}
        if column.dim is not None:
            return np.frombuffer(raw, dtype="<f4").tolist()
        if column.many:
            return [_python(item, column.base) for item in unpack_list(raw, column.base)]
        if column.base == "string":
            return raw.decode()
        return _python(_ITEM[column.base].unpack(raw)[0], column.base)

    def arrow(self, values: Sequence[bytes | None], position: int) -> pa.Array:
        """One column of many values as an Arrow array; None is a row of nulls."""
        return Unpacked(self, values).columns([position])[0]

    def matrix(
        self, values: Sequence[bytes], position: int
    ) -> tuple["np.ndarray[Any, np.dtype[np.float32]]", list[int]]:
        """A vector column as float32 [n, dim], with the positions in `values` that have a vector."""
        found = Unpacked(self, values)
        dim, known = self.columns[position].dim, found.present[:, position].astype(bool)
        assert dim is not None
        flat = found.slot(position)[known].tobytes()
        return np.frombuffer(flat, dtype="<f4").reshape(-1, dim), np.flatnonzero(known).tolist()


def instant(micros: int) -> datetime:
    """An aware UTC datetime, exact."""
    return EPOCH + timedelta(microseconds=micros)


def _python(item: Any, base: "LogicalType") -> Any:
    return instant(item) if base == "timestamp" else item


def _flat(array: pa.Array | pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """One contiguous array of a type."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array if array.type == kind else array.cast(kind)


def _slots(array: pa.Array, column: Column) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Bytes [n, size] of the slots of an array without nulls."""
    rows = len(array)
    if column.dim is not None:
        flat = array.flatten()
        if len(flat) != rows * column.dim or not (np.diff(array.offsets.to_numpy()) == column.dim).all():
            raise LimnerError(
                f"feature {column.name!r} holds vectors of another length than {column.dim}: its encoder has changed"
            )
        numbers = flat.to_numpy(zero_copy_only=False).astype("<f4", copy=False)
    elif column.base == "bool":
        numbers = array.to_numpy(zero_copy_only=False).astype("<u1")
    else:
        plain = array.cast(pa.int64()) if column.base == "timestamp" else array
        numbers = plain.to_numpy(zero_copy_only=False).astype(NUMPY[column.base], copy=False)
    return np.ascontiguousarray(numbers).view(np.uint8).reshape(rows, column.size)


def _tails(array: pa.Array, column: Column) -> list[bytes]:
    """The bytes of each row in the tail; none where null."""
    if not column.keyed and not column.many:
        texts: list[bytes] = array.cast(pa.binary()).fill_null(b"").to_pylist()
        return texts
    return [b"" if item is None else _tail(item, column) for item in _items(array)]


def _items(array: pa.Array) -> list[Any]:
    """Python values, timestamps as int µs (a datetime could not hold every one, and need not)."""
    kind = array.type
    if pa.types.is_list(kind) and pa.types.is_timestamp(kind.value_type):
        array = array.cast(pa.list_(pa.int64()))
    if pa.types.is_map(kind) and pa.types.is_timestamp(kind.item_type):
        array = array.cast(pa.map_(pa.string(), pa.int64()))
    items: list[Any] = array.to_pylist()
    return items


def _tail(item: Any, column: Column) -> bytes:
    if column.keyed:
        return _pack_list([key for key, _ in item], "string") + _pack_list([each for _, each in item], column.base)
    return _pack_list(item, column.base)


def _pack_list(items: list[Any], base: "LogicalType") -> bytes:
    if base != "string":
        return np.asarray(items, dtype=NUMPY[base]).tobytes()
    encoded = [text.encode() for text in items]
    return b"".join((struct.pack(f"<{len(encoded) + 1}I", len(encoded), *map(len, encoded)), *encoded))
