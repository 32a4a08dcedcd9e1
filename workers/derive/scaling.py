"""Fitted features over rows: standardized numbers, and vectors of numbers, categories and embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from limner.language import features as f
from limner.language.derived_base import Derived
from limner.language.features.fusion import Categories, Embedding, Scalars
from limner.language.types import OutputType
from limner.workers.arrow_types import arrow_type
from limner.workers.derive import numbers
from limner.workers.derive.fit import Components, Fit, Scale
from limner.workers.derive.kinds import one_hot, vectors
from limner.workers.derive.values import Array, Bools, Value, as_float, of_arrow, to_arrow

LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Input:
    """An output that an operand stands for, with its values, and its length if it is a vector."""

    output: str
    values: pa.Array
    dim: int | None


Inputs = Mapping[str, Sequence[Input]]
"""By the name of an operand."""


def scaled(feature: Derived, kind: OutputType, inputs: Inputs, after: Bools, fit: Fit | None) -> pa.Array:
    """The values of a feature that may need a fit; null where not `after` its fit's instant, or without the fit."""
    if isinstance(feature, f.Vector):
        if feature.fitted is not None and fit is None:
            return pa.nulls(len(after), arrow_type(kind.base, dim=kind.dim))
        return vectors(fused(feature, inputs, len(after), fit), after)
    ((only,),) = inputs.values()
    if fit is None:
        return pa.nulls(len(after), pa.float64())
    value = _scale(of_arrow(only.values), fit.scales[Fit.key(feature.kind, only.output)])
    return to_arrow(Value("float", value.data, value.null | ~after), len(after))


def fused(feature: f.Vector, inputs: Inputs, count: int, fit: Fit | None) -> Array:
    """[count, dim] float64, all finite: the parts end to end, projected and normalized if the feature says so."""
    matrix = concatenated(feature, inputs, count, fit.scales if fit is not None else {})
    if feature.project is not None:
        assert fit is not None
        assert fit.components is not None
        matrix = projected(matrix, fit.components)
    if feature.normalize:
        length = np.zeros(count)
        for place in range(matrix.shape[1]):  # one place after the other: a row's sum does not depend on other rows
            length += matrix[:, place] * matrix[:, place]
        length = np.sqrt(length)
        matrix = np.divide(matrix, np.where(length > 0, length, 1.0)[:, None])
    return matrix


def concatenated(feature: f.Vector, inputs: Inputs, count: int, scales: Mapping[str, Scale]) -> Array:
    """[count, places] float64: the parts end to end, scaled and weighted, within what float32 holds."""
    parts: list[Array] = []
    for part in feature.vector:
        match part:
            case Scalars(scalars=names, scale=scale, weight=weight):
                every = [each for name in names for each in inputs[name]]
                columns = [
                    _number(of_arrow(each.values), scale, scales.get(Fit.key(scale, each.output))) for each in every
                ]
                parts.append(np.stack(columns, axis=1) * float(weight))
            case Categories(categories=name, values=values, other=other, weight=weight):
                parts.append(one_hot(inputs[name][0].values, values, other=other).astype(np.float64) * float(weight))
            case Embedding(embedding=name, weight=weight):
                parts.append(_dense(inputs[name][0], count) * float(weight))
    whole: Array = np.clip(np.concatenate(parts, axis=1), -LARGEST, LARGEST)
    return whole


def projected(matrix: Array, components: Components) -> Array:
    """`(matrix - mean) @ rows.T`, place by place: BLAS would round a row by the rows beside it."""
    rows = np.array(components.rows, np.float64)
    result = np.zeros((len(matrix), len(rows)))
    for place, mean in enumerate(components.mean):
        result += (matrix[:, place] - mean)[:, None] * rows[:, place]
    return np.clip(result, -LARGEST, LARGEST)


def _dense(vector: Input, count: int) -> Array:
    """[count, dim] float64, null as zeros."""
    array = vector.values.combine_chunks() if isinstance(vector.values, pa.ChunkedArray) else vector.values
    matrix: Array = np.zeros((count, vector.dim or 0))
    flat = array.drop_null().flatten().to_numpy(zero_copy_only=False)
    if len(flat):
        matrix[np.asarray(array.is_valid())] = flat.reshape(-1, matrix.shape[1])
    return matrix


def _number(value: Value, scale: str, fitted: Scale | None) -> Array:
    """A number scaled, 0 where that has no value."""
    if scale == "log1p":
        value = numbers.function("log1p", value)
    elif scale != "none":
        assert fitted is not None
        value = _scale(value, fitted)
    data = as_float(value)
    return np.where(value.null | ~np.isfinite(data), 0.0, data)


def _scale(value: Value, scale: Scale) -> Value:
    data = as_float(value)
    if scale.width is None:
        return Value("float", np.zeros(len(data)), np.ones(len(data), bool))
    with np.errstate(over="ignore"):
        return Value("float", (data - scale.center) / scale.width, value.null)
