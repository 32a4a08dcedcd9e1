"""What a request brings, as typed columns: the same reading for one request and for a training set's entity rows."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.language.errors import LimnerError
from limner.workers.online.pack import Column

Columns = Mapping[str, pa.Array | pa.ChunkedArray]
_SHOWN = {"int": "an integer", "float": "a number", "string": "a string", "bool": "true or false"}
_EXAMPLE = "an instant such as 2026-01-31T12:00:00Z"


def columns_of(requests: Sequence[Mapping[str, Any]], fields: Sequence[Column]) -> dict[str, pa.Array]:
    """One column a field from one mapping a row. LimnerError for a field that a row lacks, or of another type."""
    for request in requests:
        lacking = [field for field in fields if field.name not in request]
        if lacking:
            raise LimnerError(missing(lacking[0]))
    return {field.name: typed(_array([row[field.name] for row in requests], field), field) for field in fields}


def missing(field: Column) -> str:
    """The text of an error about a field that a request lacks."""
    return f"the request lacks {field.name!r}, which is {kind_of(field)}: give it as {field.name}=..."


def kind_of(field: Column) -> str:
    """A field's type in plain words."""
    if field.dim is not None:
        return f"a vector of {field.dim} numbers"
    return _SHOWN.get(field.base, _EXAMPLE)


def typed(array: pa.Array | pa.ChunkedArray, field: Column) -> pa.Array:
    """A column in its field's type; NaN is null, a time without an offset is UTC, and is cut to the microsecond.

    Integers stand for numbers, whole numbers for integers (a column of integers with gaps is one of floats in pandas),
    ISO 8601 texts for instants. LimnerError for anything else, and for a number that is not finite.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), field.arrow)
    try:
        return _vectors(array, field) if field.dim is not None else _scalars(array, field)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
        raise LimnerError(f"the request's {field.name!r} is {kind_of(field)}: {error}") from error


def _array(values: list[Any], field: Column) -> pa.Array:
    if field.base == "timestamp" and any(isinstance(value, datetime) for value in values):
        values = [value if value is None or not isinstance(value, datetime) else _utc(value) for value in values]
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise LimnerError(f"the request's {field.name!r} is {kind_of(field)}: {error}") from error


def _utc(value: datetime) -> datetime:
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _scalars(array: pa.Array, field: Column) -> pa.Array:
    kind = array.type
    if field.base == "timestamp":
        return _instants(array)
    if pa.types.is_floating(kind) and field.base in ("int", "float"):
        wide = array.cast(pa.float64())
        known = pc.if_else(pc.is_nan(wide), None, wide)
        if pc.any(pc.is_inf(known)).as_py():
            raise ValueError("found an infinite one")
        return known.cast(field.arrow)
    fits = {"int": pa.types.is_integer(kind), "float": pa.types.is_integer(kind), "bool": pa.types.is_boolean(kind),
            "string": pa.types.is_string(kind) or pa.types.is_large_string(kind)}  # fmt: skip
    if not fits[field.base]:
        raise ValueError(f"found {_found(array)}")
    return array.cast(field.arrow, safe=field.base != "float")


def _instants(array: pa.Array) -> pa.Array:
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        from limner.language.durations import parse_instant

        micros = [None if text is None else parse_instant(text) for text in array.to_pylist()]
        return pa.array(micros, pa.int64()).cast(pa.timestamp("us", tz="UTC"))
    if not pa.types.is_timestamp(array.type):
        raise ValueError(f"found {_found(array)}")
    utc = array.cast(pa.timestamp(array.type.unit))  # the instant in UTC, whatever zone it is shown in
    return pc.floor_temporal(utc, unit="microsecond").cast(pa.timestamp("us", tz="UTC"))


def _vectors(array: pa.Array, field: Column) -> pa.Array:
    if not (pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or _is_fixed(array.type)):
        raise ValueError(f"found {_found(array)}")
    plain = array.cast(pa.list_(array.type.value_type)).cast(pa.list_(pa.float32()), safe=False)
    lengths = pc.drop_null(pc.list_value_length(plain))
    other = pc.filter(lengths, pc.not_equal(lengths, field.dim))
    if len(other):
        raise ValueError(f"found {other[0].as_py()}")
    flat = plain.flatten()
    if flat.null_count or not np.isfinite(flat.to_numpy(zero_copy_only=False)).all():
        raise ValueError("found one that is null or not finite")
    return plain


def _is_fixed(kind: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(kind))


def _found(array: pa.Array) -> str:
    first = next((item.as_py() for item in array if item.is_valid), None)
    text = repr(first)
    return text if len(text) <= 60 else text[:57] + "..."
