"""Feast's online answer, written as the bytes that protobuf has on the wire.

Made one by one, the 2,100 values of 100 profiles take most of the time of reading them. Here the numbers of a column
are one matrix, uint8 [rows, longest message], of which each row's own length is taken.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from feast import FeatureView
from feast.metrics import track_feature_statuses
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value
from google.protobuf.timestamp_pb2 import Timestamp  # type: ignore[import-untyped]

from limner.feature_repo.values import MICROS, builder, varint
from limner.workers.online.reading import Row
from limner.workers.online.schema import ViewSchema
from limner.workers.online.unpack import Bytes, Unpacked

FeatureVector = GetOnlineFeaturesResponse.FeatureVector
Numbers = np.ndarray[Any, np.dtype[np.int64]]
_VALUES, _STATUSES, _STAMPS = b"\x0a", b"\x12", b"\x1a"  # fields 1 to 3 of FeatureVector, length-delimited
_NULL = _VALUES + b"\0"  # an empty Value
_KINDS = {"int": "int64_val", "float": "double_val", "bool": "bool_val", "timestamp": "unix_timestamp_val"}
FEW = 6  # rows that are faster done one by one
_SHIFTS = np.arange(0, 70, 7, dtype=np.uint64)


def feature_vectors(schema: ViewSchema | None, features: Sequence[str], rows: Sequence[Row | None]) -> list[Any]:
    """A FeatureVector a feature, a value a row; without a row, or where it is not yet computed, it is NOT_FOUND.

    Feast's timestamps count whole seconds: the fraction is dropped, downwards. LimnerError for a damaged value.
    """
    stamps = _stamps(rows)
    found = bytes(FieldStatus.NOT_FOUND if row is None else FieldStatus.PRESENT for row in rows)
    absent = bytes((FieldStatus.NOT_FOUND,)) * len(rows)
    unpacked = None if schema is None else Unpacked(schema.layout, [None if row is None else row[1] for row in rows])
    vectors = []
    for feature in features:
        position = None if unpacked is None else unpacked.layout.index.get(feature)
        if unpacked is None or position is None:
            values, statuses = _NULL * len(rows), absent
        else:
            values, statuses = _values(unpacked, position), found
        vectors.append(FeatureVector.FromString(b"".join((values, _STATUSES, varint(len(rows)), statuses, stamps))))
    return vectors


def append(
    response: GetOnlineFeaturesResponse,
    view: FeatureView,
    features: Sequence[str],
    vectors: Sequence[Any],
    *,
    full_names: bool,
    versions: bool,
) -> None:
    """Add a view's FeatureVectors to an answer: names, and the version of the view where asked for, as Feast does."""
    prefix = f"{view.projection.name_to_use()}__" if full_names else ""  # type: ignore[no-untyped-call]
    response.metadata.feature_names.val.extend([prefix + feature for feature in features])
    name = view.projection.name_alias or view.projection.name
    if versions and all(each.name != name for each in response.metadata.feature_view_metadata):
        version = getattr(view, "current_version_number", 0) or 0
        response.metadata.feature_view_metadata.add(name=name, version=version)
    present = sum(list(vector.statuses).count(FieldStatus.PRESENT) for vector in vectors)
    track_feature_statuses(view.name, present, sum(len(vector.statuses) for vector in vectors) - present)
    response.results.extend(vectors)


def _values(found: Unpacked, position: int) -> bytes:
    """A column as the repeated field `values`."""
    column, shape, rows = found.layout.columns[position], found.layout.shapes[position], len(found.values)
    if rows <= FEW or shape in {"text", "list", "map"}:
        return _one_by_one(found, position)
    if shape == "vector":
        return _vectors(found, position)
    if shape == "bool":
        return _scalars(found, position, (found.slot(position) != 0).astype(np.uint8), 1)
    if column.base == "float":
        return _scalars(found, position, found.slot(position), 8)
    numbers = np.frombuffer(found.slot(position).tobytes(), dtype="<i8")
    return _scalars(found, position, *varints(numbers // MICROS if column.base == "timestamp" else numbers))


def _one_by_one(found: Unpacked, position: int) -> bytes:
    layout = found.layout
    raws = [None if value is None else layout.raw(value, position) for value in found.values]
    if layout.shapes[position] == "text":
        tag = _tag("string_val", 2)
        return b"".join([_NULL if raw is None else _delimited(_VALUES, _delimited(tag, raw)) for raw in raws])
    build = builder(layout.columns[position])
    return b"".join([_NULL if raw is None else _delimited(_VALUES, build(raw).SerializeToString()) for raw in raws])


def _vectors(found: Unpacked, position: int) -> bytes:
    size = 4 * (found.layout.columns[position].dim or 0)
    inner = b"\x0a" + varint(size)  # field 1 of FloatList: the little-endian float32 array itself
    head = _tag("float_list_val", 2) + varint(len(inner) + size) + inner
    head = _VALUES + varint(len(head) + size) + head
    whole, known = found.slot(position).tobytes(), found.present[:, position].tolist()
    return b"".join([head + whole[n * size : (n + 1) * size] if there else _NULL for n, there in enumerate(known)])


def _scalars(found: Unpacked, position: int, bodies: Bytes, lengths: Any) -> bytes:
    """Values of one field each: `bodies` are uint8 [rows, longest], of which `lengths` are taken."""
    column, known = found.layout.columns[position], found.present[:, position]
    matrix = np.empty((len(bodies), 3 + bodies.shape[1]), dtype=np.uint8)
    matrix[:, 0] = _VALUES[0]
    matrix[:, 1] = known * (1 + lengths)
    matrix[:, 2] = _tag(_KINDS[column.base], 1 if column.base == "float" else 0)[0]
    matrix[:, 3:] = bodies
    taken = np.arange(matrix.shape[1]) < (2 + known * (1 + lengths))[:, None]
    return bytes(matrix[taken])


def varints(numbers: Numbers) -> tuple[Bytes, Numbers]:
    """Numbers (int64) as varints, uint8 [rows, 10], and the bytes each has."""
    groups = numbers.astype(np.uint64)[:, None] >> _SHIFTS
    lengths = np.maximum((groups != 0).sum(axis=1), 1)
    more = np.arange(10) < (lengths - 1)[:, None]
    return ((groups & np.uint64(127)) | (more * np.uint64(128))).astype(np.uint8), lengths


def _delimited(tag: bytes, body: bytes) -> bytes:
    return tag + varint(len(body)) + body


@lru_cache
def _tag(field: str, wire: int) -> bytes:
    """The tag of a field of Value; `wire`: 0 varint, 1 eight bytes, 2 length-delimited."""
    return varint(Value.DESCRIPTOR.fields_by_name[field].number << 3 | wire)


def _stamps(rows: Sequence[Row | None]) -> bytes:
    """Event timestamps as the repeated field `event_timestamps`; rows share few of them."""
    written: dict[int | None, bytes] = {None: _STAMPS + b"\0"}
    for stamp in {row[0] for row in rows if row is not None}:
        seconds, micros = divmod(stamp, MICROS)
        written[stamp] = _delimited(_STAMPS, Timestamp(seconds=seconds, nanos=1000 * micros).SerializeToString())
    return b"".join([written[None if row is None else row[0]] for row in rows])
