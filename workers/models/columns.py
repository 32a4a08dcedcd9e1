"""What a model takes its inputs for: the columns of its matrix. A number is one column, a word one for each frequent
value, a vector one for each of its places.

The age of a timestamp is none of them: a view over views has a new row where what it reads changes, so a score that
changes with time alone would be stale.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict, Field

from limner.workers.derive.values import Array, as_float, of_arrow

VALUES = 20  # of a word's values at most so many have a column, the most frequent ones,
SEEN = 10  # each of which so many examples have at least

Table = Mapping[str, pa.Array | pa.ChunkedArray]


class _Column(BaseModel):
    """Of one input (`view.feature`)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    input: str

    @property
    def name(self) -> str:
        """The input, where the column is all of it."""
        return self.input


class Number(_Column):
    """A number as it is, yes as 1 and no as 0; NaN where null."""

    kind: Literal["number"] = "number"

    def of(self, column: pa.Array) -> Array:
        """[rows] float64."""
        return number(column)


class Level(_Column):
    """1 where a word has a certain value, else 0, also where it is null."""

    kind: Literal["level"] = "level"
    value: str

    @property
    def name(self) -> str:
        """With the value."""
        return f"{self.input} = {self.value}"

    def of(self, column: pa.Array) -> Array:
        """[rows] float64."""
        same = pc.fill_null(pc.equal(column, self.value), False)
        return np.asarray(same.to_numpy(zero_copy_only=False), np.float64)


class Place(_Column):
    """One number of a vector; NaN where that is null."""

    kind: Literal["place"] = "place"
    place: Annotated[int, Field(ge=0)]

    @property
    def name(self) -> str:
        """With the place."""
        return f"{self.input}[{self.place}]"


Column = Annotated[Number | Level | Place, Field(discriminator="kind")]


def columns_of(inputs: Sequence[str], table: Table) -> tuple[Column, ...]:
    """The columns of a model that learns from a table; of a vector that is null everywhere there are none."""
    found: list[Column] = []
    for name in inputs:
        kind = table[name].type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            found += [Level(input=name, value=value) for value in _frequent(table[name])]
        elif pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind):
            found += [Place(input=name, place=place) for place in range(_dim(table[name]))]
        else:
            found.append(Number(input=name))
    return tuple(found)


def width(inputs: Sequence[str], table: Table) -> int:
    """How many columns there may be."""
    kinds = [table[name].type for name in inputs]
    return sum(
        VALUES if pa.types.is_string(kind) else max(1, _dim(table[name])) if pa.types.is_nested(kind) else 1
        for name, kind in zip(inputs, kinds, strict=True)
    )


def wide(columns: Sequence[Column], table: Table) -> Array:
    """[rows, columns] float64, NaN for null. Each row depends on itself alone."""
    rows = len(table[columns[0].input]) if columns else 0
    found = np.empty((rows, len(columns)))
    whole: dict[str, pa.Array] = {}
    vectors: dict[str, Array] = {}
    for at, each in enumerate(columns):
        name = each.input
        if name not in whole:
            whole[name] = plain(table[name])
        if pa.types.is_null(whole[name].type):
            found[:, at] = 0.0 if isinstance(each, Level) else np.nan
        elif isinstance(each, Place):
            if name not in vectors:
                vectors[name] = vector(whole[name], _places(columns, name))
            found[:, at] = vectors[name][:, each.place]
        else:
            found[:, at] = each.of(whole[name])
    return found


def by_input(inputs: Sequence[str], columns: Sequence[Column], adds: Array) -> Array:
    """[rows, inputs] what the columns of each input add together, of [rows, columns]."""
    found = np.zeros((len(adds), len(inputs)))
    places = {name: place for place, name in enumerate(inputs)}
    for at, each in enumerate(columns):
        found[:, places[each.input]] += adds[:, at]
    return found


def number(column: pa.Array | pa.ChunkedArray) -> Array:
    """[rows] float64, NaN where null; yes is 1 and no 0."""
    value = of_arrow(column)
    found: Array = np.where(value.null, np.nan, as_float(value))
    return found


def vector(column: pa.Array, dim: int) -> Array:
    """[rows, dim] float64, NaN where null."""
    found = np.full((len(column), dim), np.nan)
    valid = np.asarray(column.is_valid())
    if valid.any():
        found[valid] = column.drop_null().flatten().to_numpy(zero_copy_only=False).reshape(-1, dim)
    return found


def _places(columns: Sequence[Column], name: str) -> int:
    return 1 + max(each.place for each in columns if isinstance(each, Place) and each.input == name)


def plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """In one piece."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _frequent(column: pa.Array | pa.ChunkedArray) -> list[str]:
    """The most frequent values, sorted; of equally frequent ones the first in order."""
    counts = pc.value_counts(plain(column).drop_null())
    found = [(-count.as_py(), value.as_py()) for value, count in zip(*counts.flatten(), strict=True)]
    return sorted(value for count, value in sorted(found)[:VALUES] if -count >= SEEN)


def _dim(column: pa.Array | pa.ChunkedArray) -> int:
    """The length of the vectors of a column; 0 where all are null."""
    known = plain(column).drop_null()
    return len(known[0]) if len(known) else 0
