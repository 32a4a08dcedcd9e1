"""What windows hold of each entity, as exact sums that are changed a few entities at a time."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from limner.workers.stream.rows import Key, keys_of
from limner.workers.windows import sums
from limner.workers.windows.carried import State
from limner.workers.windows.column import Bools, Ints
from limner.workers.windows.exact import LIMB, Limbs

Sum = tuple[str, int]  # of an output, the n-th of its counts and totals
_USUAL = 4  # limbs; where one value had many, others seldom have
_FEW = 20_000  # entities among whom nobody is looked for whose windows are empty


@dataclass(frozen=True)
class _Place:
    """Where the limbs of a sum are, [first, first + count), and in which units; none as long as it is 0 of everyone."""

    exponent: int
    first: int
    count: int


class Held:
    """States of entities by join keys: to get some and to put them back takes as long as they are many.

    A row of limbs an entity, of all its sums one after the other. Where a value needs more limbs, or finer units, all
    rows get them: a few times in all.
    """

    def __init__(self, keys: pa.Schema) -> None:
        """Nobody is there; `keys` are the join keys and their types."""
        self._schema = keys
        self._rows: dict[Key, int] = {}
        self._free: list[int] = []
        self._places: dict[Sum, _Place] = {}
        self._limbs: npt.NDArray[np.int32] = np.zeros((0, 0), np.int32)  # [rows, limbs]
        self._many = _FEW

    def __len__(self) -> int:
        return len(self._rows)

    def of(self, keys: Sequence[Key]) -> State:
        """Those of the entities that are there."""
        found = [(key, row) for key in keys if (row := self._rows.get(key)) is not None]
        limbs = np.ascontiguousarray(self._limbs[np.array([row for _, row in found], np.int64)].T, np.int64)
        by: dict[str, list[Limbs]] = {}
        for (name, _), place in self._places.items():
            if not place.count:
                column = sums.zeros(len(found))
            else:
                column = Limbs(limbs[place.first : place.first + place.count], place.exponent)
            by.setdefault(name, []).append(column if place.count <= _USUAL else sums.compact(column))
        return State(self._table([key for key, _ in found]), {name: tuple(some) for name, some in by.items()})

    def put(self, state: State) -> None:
        """Entities as they are now; `state` is compact."""
        if not len(state.keys):
            return
        each = {(name, number): limbs for name, some in state.sums.items() for number, limbs in enumerate(some)}
        fitting = self._fit(each)
        rows = self._rows_of(keys_of(state.keys, self._schema.names))
        limbs = np.zeros((len(rows), self._limbs.shape[1]), np.int32)
        for sum_, column in fitting.items():
            place = self._places[sum_]
            first = place.first + (column.exponent - place.exponent) // LIMB
            limbs[:, first : first + len(column.limb)] = column.limb.T
        self._limbs[rows] = limbs

    @property
    def crowded(self) -> bool:
        """Whether there are many more entities than when those with empty windows were left out."""
        return len(self._rows) > 2 * self._many

    def leave_out(self, needed: Callable[[pa.Table], Bools]) -> None:
        """Leave out entities all of whose sums are 0: to be there says no more of them than that they are known.

        `needed` (of a table of join keys) says which of them stay.
        """
        keys = list(self._rows)
        full = np.asarray(self._limbs[np.array([self._rows[key] for key in keys], np.int64)].any(axis=1))
        some = [keys[place] for place in np.flatnonzero(~full).tolist()]
        for key, stays in zip(some, needed(self._table(some)).tolist(), strict=True):
            if not stays:
                self._free.append(self._rows.pop(key))
        self._many = max(_FEW, len(self._rows))

    def _table(self, keys: Sequence[Key]) -> pa.Table:
        columns = [pa.array([key[n] for key in keys], field.type) for n, field in enumerate(self._schema)]
        return pa.table(columns, schema=self._schema)

    def _rows_of(self, keys: Sequence[Key]) -> Ints:
        rows = []
        for key in keys:
            row = self._rows.get(key)
            if row is None:
                row = self._rows[key] = self._free.pop() if self._free else len(self._rows)
            rows.append(row)
        if len(self._rows) > len(self._limbs):
            more = np.zeros((2 * len(self._rows), self._limbs.shape[1]), np.int32)
            more[: len(self._limbs)] = self._limbs
            self._limbs = more
        return np.array(rows, np.int64)

    def _fit(self, columns: Mapping[Sum, Limbs]) -> dict[Sum, Limbs]:
        """The columns that are not 0 throughout, by whole limbs coarser than their places, where there is room now."""
        fitting, places, first = {}, {}, 0
        for sum_, column in columns.items():
            place = self._places.get(sum_, _Place(0, 0, 0))
            exponent, count = place.exponent, place.count
            if column.limb.any():
                finer = max(0, -((column.exponent - exponent) // LIMB))  # whole limbs: nothing that is there changes
                exponent = exponent - finer * LIMB if count else column.exponent
                whole, bits = divmod(column.exponent - exponent, LIMB)
                fitting[sum_] = sums.compact_at(column, exponent) if bits else column
                count = max(count + finer if count else 0, len(fitting[sum_].limb) + (0 if bits else whole))
            places[sum_] = _Place(exponent, first, count)
            first += count
        if places != self._places:
            self._move(places, first)
        return fitting

    def _move(self, places: dict[Sum, _Place], width: int) -> None:
        limbs = np.zeros((len(self._limbs), width), np.int32)
        for sum_, old in self._places.items():
            new = places[sum_]
            first = new.first + (old.exponent - new.exponent) // LIMB
            limbs[:, first : first + old.count] = self._limbs[:, old.first : old.first + old.count]
        self._places, self._limbs = places, limbs
