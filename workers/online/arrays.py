"""A view's answer as NumPy arrays: a column is made when it is taken, for a row costs less to find than 20 columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from limner.workers.online.batches import EVENT_TIMESTAMP, STAMP
from limner.workers.online.reading import Row
from limner.workers.online.schema import ViewSchema
from limner.workers.online.unpack import Unpacked

Array = np.ndarray[Any, np.dtype[Any]]


class Arrays(Mapping[str, Array]):
    """Features and `event_timestamp`, a row a key. A vector is float32 [keys, dim], all NaN where it is null; any other
    column is what `to_numpy` of its Arrow array gives: null is NaN, NaT or None, and integers that know one are floats.
    """

    def __init__(self, schema: ViewSchema, features: Sequence[str], rows: Sequence[Row | None]) -> None:
        """LimnerError if a row is damaged."""
        self._found = Unpacked(schema.layout, [None if row is None else row[1] for row in rows])
        self._rows, self._features = rows, features

    def __getitem__(self, feature: str) -> Array:
        if feature == EVENT_TIMESTAMP:
            stamps = pa.array([None if row is None else row[0] for row in self._rows], STAMP)
            return stamps.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
        if feature not in self._features:
            raise KeyError(feature)
        position = self._found.layout.index[feature]
        if self._found.layout.shapes[position] == "vector":
            return self._vectors(position)
        (column,) = self._found.columns([position])
        return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]

    def __iter__(self) -> Iterator[str]:
        return iter((*self._features, EVENT_TIMESTAMP))

    def __len__(self) -> int:
        return len(self._features) + 1

    def _vectors(self, position: int) -> Array:
        vectors = np.ascontiguousarray(self._found.slot(position)).view("<f4")
        known = self._found.present[:, position].tolist()
        if not all(known):
            vectors[[not each for each in known]] = np.nan
        return vectors
