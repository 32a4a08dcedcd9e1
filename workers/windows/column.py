"""Columns on their way in (coded, so that order and equality are integers) and on their way out (values at places)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from limner.language.durations import parse_instant
from limner.language.models import LogicalType
from limner.workers.arrow_types import ARROW

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def logical(kind: pa.DataType) -> LogicalType:
    """The language's name of a column's type."""
    return next(name for name, each in ARROW.items() if each == kind)


@dataclass(frozen=True)
class Output:
    """A feature's values at places. Neighbouring places hold the same value exactly where their `state` is equal."""

    state: Ints  # [places] or [places, k]
    take: Callable[[Ints], pa.Array]  # the values at chosen places


@dataclass(frozen=True)
class Coded:
    """A column as ranks: `code[i]` orders like the value, -1 is null; `values[code]` is the value."""

    code: Ints
    values: pa.Array

    def position(self, value: Any) -> tuple["Coded", int]:
        """The rank-like code of `value`, added to `values` (out of order) where it is new."""
        if isinstance(value, str) and pa.types.is_timestamp(self.values.type):
            value = parse_instant(value)
        scalar = pa.scalar(value, self.values.type)
        found = pc.index(self.values, scalar).as_py()
        if found >= 0:
            return self, found
        scalar_array = pa.array([scalar.as_py()], self.values.type)
        return Coded(self.code, pa.concat_arrays([self.values, scalar_array])), len(self.values)


def coded(column: pa.ChunkedArray | pa.Array) -> Coded:
    """Rank a column: numbers by value, strings by their UTF-8 bytes, false before true, time by time."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if pa.types.is_boolean(array.type):
        return Coded(_plain(array.cast(pa.int64()), -1), pa.array([False, True]))
    if pa.types.is_floating(array.type):
        array = pc.add(array, 0.0)  # -0.0 and 0.0 are one value
    dictionary = array.dictionary_encode()
    order = pc.sort_indices(dictionary.dictionary)
    rank = np.empty(len(order) + 1, np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    rank[-1] = -1
    return Coded(rank[_plain(dictionary.indices.cast(pa.int64()), len(order))], dictionary.dictionary.take(order))


def numbered(column: pa.ChunkedArray | pa.Array) -> Coded:
    """A column of lists or maps, each value a code of its own: equal ones are not told to be equal."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return Coded(np.where(np.asarray(array.is_valid()), np.arange(len(array)), -1), array)


def numbers(column: pa.ChunkedArray | pa.Array) -> tuple[Ints | Floats, Bools]:
    """An int or float column as NumPy and where it is not null; -0.0 becomes 0.0."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    present = np.asarray(array.is_valid())
    if pa.types.is_integer(array.type):
        return _plain(array.cast(pa.int64()), 0), present
    values = array.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0
    return values, present


def of_ints(values: Ints) -> Output:
    """A column of integers that is never null: counts and sums of an empty window are 0."""
    return Output(values, lambda chosen: pa.array(values.take(chosen)))


def of_floats(values: Floats, present: Bools, default: float | None) -> Output:
    """A column of floats, null or `default` where nothing is present."""
    filled = np.where(present, values, np.nan if default is None else default) + 0.0
    if default is not None or present.all():
        return Output(filled.view(np.int64), lambda chosen: pa.array(filled.take(chosen)))
    return Output(filled.view(np.int64), lambda chosen: pa.array(filled.take(chosen), mask=~present.take(chosen)))


def of_codes(code: Ints, column: Coded, default: Any) -> Output:
    """A column of values by their codes, null or `default` where the code is -1."""
    if default is not None:
        column, place = column.position(default)
        code = np.where(code < 0, place, code)
    return Output(code, lambda chosen: column.values.take(pa.array(code[chosen], mask=code[chosen] < 0)))


def of_code_lists(code: Ints, column: Coded, default: tuple[Any, ...] | None) -> Output:
    """A column of lists of values by their codes (shape [places, k], -1 ends a list); empty is null or `default`."""
    empty = code[:, 0] < 0
    if default is not None:
        row = np.full(code.shape[1], -1, np.int64)
        for place, value in enumerate(default[: code.shape[1]]):
            column, row[place] = column.position(value)
        code = np.where(empty[:, None], row, code)
        empty = np.zeros(len(code), bool)

    def take(chosen: Ints) -> pa.Array:
        rows = code[chosen]
        lengths = (rows >= 0).sum(axis=1)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        items = column.values.take(pa.array(rows[rows >= 0]))
        return pa.ListArray.from_arrays(pa.array(offsets), items, mask=pa.array(empty[chosen]))

    return Output(code, take)


def _plain(array: pa.Array, null: int) -> Ints:
    return np.asarray(array.fill_null(null).to_numpy(zero_copy_only=False), dtype=np.int64)
