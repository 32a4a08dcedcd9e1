"""One function a derived kind: from the values of its operands to its own, row by row.

A value depends on its row alone, to the last bit, so that it does not matter what is computed beside it.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.language import features as f
from limner.language.derived_base import Derived
from limner.workers.derive import logic, numbers
from limner.workers.derive.evaluate import evaluate as expression
from limner.workers.derive.values import Array, Bools, constant, of_arrow, to_arrow

Columns = Mapping[str, pa.Array]


def derive(feature: Derived, operands: Columns) -> pa.Array:
    """The values of a derived feature that needs no fit; `operands` by name as the feature names them, same length."""
    return _KINDS[type(feature)](feature, operands)


def vectors(matrix: Array, present: Bools | None = None) -> pa.Array:
    """Rows of a float32 matrix as lists, null where not `present`; -0.0 is 0.0."""
    count, dim = matrix.shape
    matrix = np.ascontiguousarray(matrix, np.float32) + np.float32(0)
    if present is None or present.all():
        offsets = np.arange(count + 1, dtype=np.int32) * np.int32(dim)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.array(matrix.reshape(-1)))
    offsets = np.concatenate([[0], np.cumsum(np.where(present, dim, 0))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(matrix[present].reshape(-1)), mask=pa.array(~present))


def one_hot(values: pa.Array, categories: tuple[Any, ...], *, other: bool) -> Array:
    """A float32 matrix: 1 in the column of the category, in the last one for other values if asked for; null: zeros."""
    listed = pa.array(list(categories), values.type)
    place = pc.index_in(values, value_set=listed)
    place = place.fill_null(len(categories)).to_numpy(zero_copy_only=False)
    known = np.asarray(values.is_valid()) & ((place < len(categories)) | other)
    matrix = np.zeros((len(values), len(categories) + other), np.float32)
    rows = np.flatnonzero(known)
    matrix[rows, place[rows]] = 1
    return matrix


def _expression(feature: f.Calculated, operands: Columns) -> pa.Array:
    return expression(feature.expression, operands)


def _ratio(feature: f.Ratio, operands: Columns) -> pa.Array:
    above, below = (of_arrow(operands[name]) for name in feature.ratio)
    return to_arrow(numbers.binary("/", above, below), len(operands[feature.ratio[0]]))


def _bucket(feature: f.Bucket, operands: Columns) -> pa.Array:
    value = of_arrow(operands[feature.bucket])
    reached = np.zeros(len(value.data), np.int64)
    for bound in feature.bounds:
        reached += logic.compare(">=", value, constant(bound)).data
    if feature.labels is None:
        return pa.array(reached, mask=value.null)
    return pa.array(list(feature.labels)).take(pa.array(reached, mask=value.null))


def _one_hot(feature: f.OneHot, operands: Columns) -> pa.Array:
    return vectors(one_hot(operands[feature.one_hot], feature.categories, other=feature.other))


def _log1p(feature: f.Log1p, operands: Columns) -> pa.Array:
    value = of_arrow(operands[feature.log1p])
    return to_arrow(numbers.function("log1p", value), len(value.data))


def _hash(feature: f.Hash, operands: Columns) -> pa.Array:
    coded = operands[feature.hash].dictionary_encode()
    distinct = of_arrow(coded.dictionary)
    buckets = [_bucket_of(value, feature.buckets) for value in distinct.data.tolist()]
    return pa.array(buckets, pa.int64()).take(coded.indices)


def _bucket_of(value: Any, buckets: int) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # equal numbers are in one bucket
    text = value if isinstance(value, str) else repr(value).lower()
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % buckets


_KINDS: dict[type[Derived], Callable[[Any, Columns], pa.Array]] = {
    f.Calculated: _expression,
    f.Ratio: _ratio,
    f.Bucket: _bucket,
    f.OneHot: _one_hot,
    f.Log1p: _log1p,
    f.Hash: _hash,
}
