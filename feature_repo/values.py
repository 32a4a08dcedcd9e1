"""Feast's protobuf values from packed bytes, and back."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import (
    BoolList,
    DoubleList,
    Int64List,
    Map,
    StringList,
    Value,
)

from limner.language.models import LogicalType
from limner.workers.online.pack import EPOCH, Column, Layout, instant
from limner.workers.online.schema import ViewSchema
from limner.workers.online.unpack import unpack_list, unpack_map

MICROS = 1_000_000
_FLOAT_LIST_TAG = b"\x82\x01"  # field 16 of Value, length-delimited
_PACKED_TAG = b"\x0a"  # field 1 of FloatList, length-delimited
Decode = Callable[[bytes], dict[str, Value]]
_parsed: Callable[[bytes], Value] = Value.FromString
Row = tuple[EntityKey, dict[str, Value], datetime, datetime | None]


def decoder(schema: ViewSchema, features: Sequence[str]) -> Decode:
    """Return the function that takes a packed value to the Feast values of `features` (an empty one if null).

    Feast's timestamps count whole seconds: the fraction is dropped, downwards.
    """
    layout: Layout = schema.layout
    steps = []
    for feature in features:
        position = layout.index[feature]
        column, start = layout.columns[position], layout.offsets[position]
        steps.append((feature, position, start, start + column.size, column.tailed, builder(column)))

    def decode(packed: bytes) -> dict[str, Value]:
        present = int.from_bytes(packed[1 : 1 + layout.bitmap], "little")
        values = {}
        for feature, position, start, end, tailed, build in steps:
            if not present >> position & 1:
                values[feature] = Value()
            elif tailed:
                values[feature] = build(layout.raw(packed, position) or b"")
            else:
                values[feature] = build(packed[start:end])
        return values

    return decode


def builder(column: Column) -> Callable[[bytes], Value]:
    """From the bytes of a slot or tail to a Feast value."""
    if column.keyed:
        return lambda raw: _map(raw, column.base)
    if column.dim is not None:
        # A FloatList on the wire is the little-endian float32 array itself behind two headers.
        inner = _PACKED_TAG + varint(4 * column.dim)
        head = _FLOAT_LIST_TAG + varint(len(inner) + 4 * column.dim) + inner
        return lambda raw: _parsed(head + raw)
    if column.many:
        return _LISTS[column.base]
    return _SCALARS[column.base]


def _map(raw: bytes, base: LogicalType) -> Value:
    """Feast's `Map`: its `ScalarMap` has keys that are no text, and `feast serve` answers null for it."""
    wrap = _WRAPPED[base]
    return Value(map_val=Map(val={key: wrap(item) for key, item in unpack_map(raw, base)}))


def _signed(raw: bytes) -> int:
    return int.from_bytes(raw, "little", signed=True)


def _double(raw: bytes) -> Value:
    return _parsed(b"\x29" + raw)  # field 5, 64 bits: the bytes as they are


_SCALARS: Mapping[str, Callable[[bytes], Value]] = {
    "int": lambda raw: Value(int64_val=_signed(raw)),
    "float": _double,
    "string": lambda raw: Value(string_val=raw.decode()),
    "bool": lambda raw: Value(bool_val=raw != b"\0"),
    "timestamp": lambda raw: Value(unix_timestamp_val=_signed(raw) // MICROS),
}
_WRAPPED: Mapping[str, Callable[[Any], Value]] = {
    "int": lambda item: Value(int64_val=item),
    "float": lambda item: Value(double_val=item),
    "string": lambda item: Value(string_val=item),
    "bool": lambda item: Value(bool_val=item),
    "timestamp": lambda item: Value(unix_timestamp_val=item // MICROS),
}
_LISTS: Mapping[str, Callable[[bytes], Value]] = {
    "int": lambda raw: Value(int64_list_val=Int64List(val=unpack_list(raw, "int"))),
    "float": lambda raw: Value(double_list_val=DoubleList(val=unpack_list(raw, "float"))),
    "string": lambda raw: Value(string_list_val=StringList(val=unpack_list(raw, "string"))),
    "bool": lambda raw: Value(bool_list_val=BoolList(val=unpack_list(raw, "bool"))),
    "timestamp": lambda raw: Value(
        unix_timestamp_list_val=Int64List(val=[item // MICROS for item in unpack_list(raw, "timestamp")])
    ),
}


def plain_value(value: Any, column: Column) -> Value:
    """A single value (an instant as int µs) as Feast's; an empty one for None."""
    if value is None:
        return Value()
    if column.base == "timestamp":
        return Value(unix_timestamp_val=value // MICROS)
    names = {"int": "int64_val", "float": "double_val", "string": "string_val", "bool": "bool_val"}
    return Value(**{names[column.base]: value})


def encoded_keys(schema: ViewSchema, keys: Sequence[EntityKey]) -> list[bytes]:
    """Feast's entity keys as ours."""
    return encoded_entities(schema, [dict(zip(key.join_keys, key.entity_values, strict=True)) for key in keys])


def encoded_entities(schema: ViewSchema, entities: Sequence[Mapping[str, Value]]) -> list[bytes]:
    """Entities, a mapping from join key to Feast's value each, as our keys."""
    rows = [[_given(each[name]) for name, _ in schema.keys] for each in entities]
    simple = schema.encode_simple([row[0] for row in rows]) if schema.simple else None
    return simple if simple is not None else [schema.encode(row) for row in rows]


def _given(value: Value) -> Any:
    kind = value.WhichOneof("val")
    return None if kind is None else getattr(value, kind)


def batch_of(
    schema: ViewSchema, rows: Sequence[tuple[EntityKey, Mapping[str, Value], datetime, datetime | None]]
) -> pa.RecordBatch:
    """Feast's rows as one batch: join keys, columns, `event_timestamp`. A naive timestamp is UTC."""
    columns: dict[str, pa.Array] = dict(
        schema.key_arrays(schema.decode(key) for key in encoded_keys(schema, [row[0] for row in rows]))
    )
    for column in schema.columns:
        values = [_plain(row[1].get(column.name), column) for row in rows]
        columns[column.name] = pa.array(values, column.arrow)
    stamps = [row[2] if row[2].tzinfo else row[2].replace(tzinfo=UTC) for row in rows]
    micros = [(stamp - EPOCH) // (EPOCH.resolution) for stamp in stamps]
    columns["event_timestamp"] = pa.array(micros, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    return pa.record_batch(columns)


def rows_of(schema: ViewSchema, batch: pa.RecordBatch) -> list[Row]:
    """One batch (join keys, columns, `event_timestamp`) as Feast's rows, exact in every type.

    Feast's own conversion goes through NumPy: an integer column with a null becomes float64 on the way, a second chunk
    is lost, and a vector takes fifteen times as long.
    """
    decode = decoder(schema, [column.name for column in schema.columns])
    names = [name for name, _ in schema.keys]
    keys = zip(*(_key_values(batch.column(name), kind) for name, kind in schema.keys), strict=True)
    stamps = batch.column("event_timestamp").cast(pa.int64()).to_pylist()
    return [
        (
            EntityKey(join_keys=names, entity_values=key),
            decode(packed),
            instant(stamp),
            None,
        )
        for key, packed, stamp in zip(keys, schema.layout.pack(batch), stamps, strict=True)
    ]


def _key_values(array: pa.Array, kind: str) -> list[Value]:
    if kind == "int":
        return [Value(int64_val=value) for value in array.to_pylist()]
    return [Value(string_val=value) for value in array.to_pylist()]


def _plain(value: Value | None, column: Column) -> Any:
    kind = None if value is None else value.WhichOneof("val")
    if value is None or kind is None or kind == "null_val":
        return None
    plain = getattr(value, kind)
    if column.keyed:
        entries = ((key, getattr(each, each.WhichOneof("val"))) for key, each in plain.val.items())
        return sorted((key, each * MICROS if column.base == "timestamp" else each) for key, each in entries)
    many = column.many or column.dim is not None
    if column.base == "timestamp" and column.dim is None:
        return [item * MICROS for item in plain.val] if many else plain * MICROS
    return list(plain.val) if many else plain


@lru_cache(maxsize=4096)
def varint(number: int) -> bytes:
    """A number that is not negative, as protobuf writes it."""
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
