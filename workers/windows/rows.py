"""The rows of one window as feature kinds see them."""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pyarrow as pa

from limner.workers.windows import column as c
from limner.workers.windows import exact
from limner.workers.windows.carried import Sums
from limner.workers.windows.flows import Flowing

Ints = c.Ints
Bools = c.Bools


@dataclass(frozen=True)
class Changes:
    """Places at which the rows of a window change, and for each place the last of them at or before it."""

    at: Ints  # [changes]
    source: Ints  # [places] positions in `at`, len(at) before the first


@dataclass(frozen=True)
class Rows:
    """Rows of a feature that are visible somewhere, and their spans of places, in canonical order."""

    table: pa.Table
    index: Ints  # [visible] positions in `table`
    first: Ints  # [visible]
    last: Ints  # [visible]
    places: int
    entity: Ints  # [visible]
    time: Ints  # [visible] event timestamp, µs
    zone: str  # of local time
    sums: Sums | None = None  # what rows that are not here add to counts and totals
    flowing: Flowing | None = None  # all rows of the window, to be counted and added up

    def where(self, mask: Bools) -> "Rows":
        """The rows where `mask` (shape [visible]) holds."""
        return replace(
            self,
            index=self.index[mask],
            first=self.first[mask],
            last=self.last[mask],
            entity=self.entity[mask],
            time=self.time[mask],
            flowing=None,
        )

    def changes(self) -> "Changes":
        """The places at which a row enters or leaves: between them nothing has to be computed."""
        changes = np.zeros(self.places + 1, bool)
        changes[self.first] = True
        changes[self.last] = True
        if self.sums is not None:
            changes[self.sums.edges.first] = True
        at = np.flatnonzero(changes[: self.places])
        source = np.cumsum(changes[: self.places]) - 1
        return Changes(at, np.where(source < 0, len(at), source))

    def total(self, values: exact.Limbs) -> exact.Limbs:
        """Exact running sums of the rows' values."""
        found = exact.spans(values, self.first, self.last, self.places)
        return found if self.sums is None else self.sums.total(found)

    def count(self) -> Ints:
        """Number of rows at each place."""
        found = running(self.first, self.last, self.places)
        return found if self.sums is None else self.sums.count(found)

    def counted(self, column: str | None) -> Ints:
        """[places] how many rows there are, with a value in a column."""
        if column is None:
            return self.count()
        return self.where(np.asarray(self.table[column].take(pa.array(self.index)).is_valid())).count()

    def summed(self, column: str) -> exact.Limbs:
        """[places] exact sums of a numeric column."""
        kept, values, _ = self.numbers(column)
        return kept.total(values)

    def integers(self, column: str) -> bool:
        """Whether a numeric column holds integers."""
        return bool(pa.types.is_integer(self.table.schema.field(column).type))

    def numbers(self, name: str) -> tuple["Rows", exact.Limbs, bool]:
        """The rows whose numeric column is not null, their exact values, and whether they are integers."""
        values, present = c.numbers(self.table[name].take(pa.array(self.index)))
        integers = values.dtype == np.int64
        limbs = (
            exact.of_ints(cast(Ints, values[present])) if integers else exact.of_floats(cast(c.Floats, values[present]))
        )
        return self.where(present), limbs, integers

    def coded(self, name: str) -> tuple["Rows", c.Coded]:
        """The rows whose column is not null, and their ranks."""
        ranked = c.coded(self.table[name].take(pa.array(self.index)))
        present = ranked.code >= 0
        return self.where(present), c.Coded(ranked.code[present], ranked.values)


def running(first: Ints, last: Ints, places: int) -> Ints:
    """[places] how many spans cover each place."""
    delta = np.bincount(first, minlength=places + 1) - np.bincount(last, minlength=places + 1)
    return np.cumsum(delta[:places])
