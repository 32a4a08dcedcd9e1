"""Types of features on both sides: ours, Feast's and Arrow's."""

import pyarrow as pa
from feast import FeatureView, Field
from feast.types import (
    Array,
    Bool,
    FeastType,
    Float32,
    Float64,
    Int64,
    Map,
    PrimitiveFeastType,
    String,
    UnixTimestamp,
    from_feast_to_pyarrow_type,
)
from feast.value_type import ValueType

from limner.language.errors import LimnerError
from limner.language.models import KeyType, LogicalType
from limner.workers.online.pack import Column

_FEAST: dict[LogicalType, PrimitiveFeastType] = {
    "int": Int64,
    "float": Float64,
    "string": String,
    "bool": Bool,
    "timestamp": UnixTimestamp,
}
_BASE: dict[FeastType, LogicalType] = {feast: base for base, feast in _FEAST.items()}
_VALUES_TAG = "limner.values"  # what a map's values are: Feast's Map does not say
KEY_TYPES: dict[KeyType, tuple[ValueType, PrimitiveFeastType]] = {
    "int": (ValueType.INT64, Int64),
    "string": (ValueType.STRING, String),
}


def feast_type(column: Column) -> FeastType:
    """The Feast type of a feature."""
    if column.keyed:
        return Map
    if column.dim is not None:
        return Array(Float32)
    return Array(_FEAST[column.base]) if column.many else _FEAST[column.base]


def field_tags(column: Column) -> dict[str, str]:
    """What a feature's Feast type leaves out: the type of a map's values."""
    return {_VALUES_TAG: column.base} if column.keyed else {}


def field_type(field: Field) -> pa.DataType:
    """The Arrow type of a feature, as a history holds it."""
    values = _values(field)
    return arrow_type(field.dtype) if values is None else Column("", values, keyed=True).arrow


def _values(field: Field) -> LogicalType | None:
    """The type of a map's values; None for what is no map, and for a map that does not say."""
    named = field.tags.get(_VALUES_TAG)
    return next((base for base in _FEAST if base == named and field.dtype == Map), None)


def arrow_type(kind: FeastType) -> pa.DataType:
    """The Arrow type of a Feast type."""
    if isinstance(kind, Array) and kind.base_type == Float32:
        return pa.list_(pa.float32())
    if isinstance(kind, Array) and kind.base_type in _BASE:
        return Column("", _BASE[kind.base_type], many=True).arrow
    if kind in _BASE:
        return Column("", _BASE[kind]).arrow
    return from_feast_to_pyarrow_type(kind)


def columns_of(view: FeatureView) -> tuple[Column, ...]:
    """The packed columns of a view that no spec describes, from its Feast types.

    LimnerError for a type the packed store has no place for.
    """
    columns = []
    for field in view.features:
        many, values = isinstance(field.dtype, Array), _values(field)
        if values is not None:
            columns.append(Column(field.name, values, keyed=True))
            continue
        base = _BASE.get(field.dtype.base_type if isinstance(field.dtype, Array) else field.dtype)
        if base is None:
            raise LimnerError(
                f"feature {field.name!r} of view {view.name!r} has type {field.dtype}, which Limner's online store "
                "does not hold: use int, float, string, bool, timestamp, or lists of these, or another online store"
            )
        columns.append(Column(field.name, base, many=many))
    return tuple(columns)


def keys_of(view: FeatureView) -> tuple[tuple[str, KeyType], ...]:
    """Join keys and their types, in the view's order."""
    names: dict[FeastType, KeyType] = {feast: kind for kind, (_, feast) in KEY_TYPES.items()}
    keys = []
    for field in view.entity_columns:
        if field.dtype not in names:
            raise LimnerError(f"join key {field.name!r} of view {view.name!r} is {field.dtype}: use Int64 or String")
        keys.append((field.name, names[field.dtype]))
    return tuple(keys)
