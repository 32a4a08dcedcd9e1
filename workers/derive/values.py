"""Values of an expression while it is computed: NumPy arrays with their nulls apart, in and out of Arrow."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from limner.language.types import LogicalType
from limner.workers.arrow_types import ARROW

Array = npt.NDArray[Any]
Bools = npt.NDArray[np.bool_]
_DTYPE: Mapping[LogicalType, Any] = {"int": np.int64, "float": np.float64, "timestamp": np.int64, "bool": np.bool_}


@dataclass(frozen=True)
class Value:
    """One value a row, or one for all rows (shape [1]).

    `data` is int64 (also timestamps, µs since 1970 UTC), float64, bool or an object array of str; what stands
    under a null has no meaning. A float may be infinite or NaN until it leaves.
    """

    kind: LogicalType
    data: Array
    null: Bools


def constant(value: int | float | str | bool) -> Value:
    """A constant, for all rows."""
    kinds: dict[type, LogicalType] = {bool: "bool", int: "int", float: "float", str: "string"}
    kind = kinds[type(value)]
    return Value(kind, np.array([value], _DTYPE.get(kind, object)), np.zeros(1, bool))


def kind_of(type_: pa.DataType) -> LogicalType:
    """The logical type of a column; any width of numbers and unit of time. ValueError for lists and the like."""
    tests: dict[LogicalType, bool] = {
        "int": pa.types.is_integer(type_),
        "float": pa.types.is_floating(type_),
        "bool": pa.types.is_boolean(type_),
        "timestamp": pa.types.is_timestamp(type_),
        "string": pa.types.is_string(type_) or pa.types.is_large_string(type_),
    }
    found = next((kind for kind, fits in tests.items() if fits), None)
    if found is None:
        raise ValueError(f"a {type_} is not a value to compute with")
    return found


def of_arrow(column: pa.Array | pa.ChunkedArray) -> Value:
    """A column; NaN is a number here, null is not."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = kind_of(array.type)
    null = ~np.asarray(array.is_valid())
    if kind == "string":
        return Value(kind, array.fill_null("").to_numpy(zero_copy_only=False), null)
    plain = array.cast(ARROW[kind])
    if kind == "timestamp":
        plain = plain.cast(pa.int64())
    filled = plain.fill_null(False if kind == "bool" else 0)
    return Value(kind, filled.to_numpy(zero_copy_only=False).astype(_DTYPE[kind], copy=False), null)


def to_arrow(value: Value, length: int) -> pa.Array:
    """`length` values; a float that is not finite is null, and -0.0 is 0.0."""
    data, null = np.broadcast_to(value.data, length), np.broadcast_to(value.null, length)
    if value.kind == "float":
        null = null | ~np.isfinite(data)
        data = np.where(null, 0.0, data) + 0.0
    if value.kind == "string":
        return pa.array(data, pa.string(), mask=null)
    return pa.array(data, mask=null).cast(ARROW[value.kind])


def as_float(value: Value) -> Array:
    """The numbers as float64."""
    return value.data.astype(np.float64, copy=False)
