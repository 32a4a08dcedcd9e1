"""Inputs of models as matrices: numbers, yes and no, and vectors."""

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from limner.workers.derive.values import Array
from limner.workers.models.columns import number, plain, vector


def matrix(inputs: Sequence[str], columns: Mapping[str, pa.Array]) -> Array:
    """[rows, inputs] float64, NaN for null: numbers as they are, yes and no as 1 and 0."""
    return np.stack([number(columns[name]) for name in inputs], axis=1)


def places(inputs: Sequence[str], dims: Sequence[int | None], columns: Mapping[str, pa.Array]) -> Array:
    """[rows, places] float64, NaN for null: a number has one place, a vector as many as its dim says."""
    parts = [
        matrix([name], columns) if dim is None else vector(plain(columns[name]), dim)
        for name, dim in zip(inputs, dims, strict=True)
    ]
    return np.concatenate(parts, axis=1)
