"""Counts and sums over a window without looking at its rows again: what has entered by a place, less what has left.

Rows mostly enter and leave a window in the order in which they are stored. Then one running total of a column serves
every window, and a value is the difference of two of its entries; exact sums make that the sum of the rows in between.
What many outputs need (a column as limbs, its running total, its sums over a window) is made once for a block of rows.
"""

from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import pyarrow as pa

from limner.workers.windows import column as c
from limner.workers.windows import exact
from limner.workers.windows.carried import Sums

Ints = c.Ints
Bools = c.Bools


@dataclass(frozen=True, eq=False)
class Flow:
    """How many rows have entered and left a window by each place.

    They enter in the order `entering`, and leave in the order `leaving`; None: as they are stored.
    """

    entered: Ints  # [places]
    left: Ints  # [places]
    entering: Ints | None
    leaving: Ints | None


def flow(first: Ints, last: Ints, places: int) -> Flow:
    """The flow of rows that are in a window at first <= place < last, both of shape [rows]."""
    entered, entering = _passed(first, places)
    left, leaving = _passed(np.maximum(first, last), places)
    return Flow(entered, left, entering, leaving)


def _passed(place: Ints, places: int) -> tuple[Ints, Ints | None]:
    late = len(place) > 0 and bool((place[1:] < place[:-1]).any())
    passed = np.cumsum(np.bincount(place, minlength=places)[:places])
    return passed, np.argsort(place, kind="stable") if late else None


@dataclass(frozen=True)
class Numbers:
    """A numeric column: exact values, 0 where there is none, and where there is one (None: everywhere)."""

    values: exact.Limbs
    present: Bools | None
    integers: bool


@dataclass
class Columns:
    """The rows of one source, in canonical order, and what has been made of their columns."""

    table: pa.Table
    _numbers: dict[str, Numbers] = field(default_factory=dict)
    _values: dict[tuple[str | None, int, bool], tuple[exact.Limbs, Ints, Bools | None]] = field(default_factory=dict)
    _sums: dict[tuple[str | None, int, bool, int], tuple[exact.Limbs, Flow]] = field(default_factory=dict)

    def numbers(self, name: str) -> Numbers:
        """A numeric column."""
        if name not in self._numbers:
            values, present = c.numbers(self.table[name])
            integers = values.dtype == np.int64
            limbs = exact.of_ints(cast(Ints, values)) if integers else exact.of_floats(cast(c.Floats, values))
            self._numbers[name] = Numbers(limbs, None if present.all() else present, integers)
        return self._numbers[name]

    def sums(self, name: str | None, where: Bools | None, flow: Flow, *, count: bool) -> exact.Limbs:
        """[places] the sums of a column over the rows of a window where a condition holds; `count`: of ones instead.

        Rows where the column is null do not count. `where` has shape [rows].
        """
        key = name, id(where), count
        if (*key, id(flow)) not in self._sums:
            if key not in self._values:
                values = self._ones(name, where) if count else self._masked(name, where)
                self._values[key] = values, exact.running(values), where  # what has an id must live on
            values, total, _ = self._values[key]
            entered = total if flow.entering is None else exact.running(values, flow.entering)
            left = total if flow.leaving is None else exact.running(values, flow.leaving)
            limb = np.take(entered, flow.entered, axis=1) - np.take(left, flow.left, axis=1)
            self._sums[(*key, id(flow))] = exact.Limbs(limb, values.exponent), flow
        return self._sums[(*key, id(flow))][0]

    def _masked(self, name: str | None, where: Bools | None) -> exact.Limbs:
        assert name is not None
        values = self.numbers(name).values
        return values if where is None else exact.Limbs(values.limb * where, values.exponent)

    def _ones(self, name: str | None, where: Bools | None) -> exact.Limbs:
        present = None
        if name is not None:
            valid = np.asarray(self.table[name].is_valid())
            present = None if valid.all() else valid
        if present is None:
            ones = np.ones(len(self.table), np.int64) if where is None else where.astype(np.int64)
        else:
            ones = (present if where is None else present & where).astype(np.int64)
        return exact.Limbs(ones[None], 0)


@dataclass(frozen=True)
class Flowing:
    """The rows of one window, as far as they are counted and added up."""

    columns: Columns
    flow: Flow
    sums: Sums | None = None  # what rows that are not here add
    condition: Bools | None = None  # [rows] where it holds; None: everywhere

    def where(self, mask: Bools) -> "Flowing":
        """The rows where `mask` (shape [rows]) holds."""
        return replace(self, condition=mask if self.condition is None else self.condition & mask)

    def counted(self, column: str | None) -> Ints:
        """[places] how many rows there are, with a value in a column."""
        if column is None and self.condition is None:
            found = self.flow.entered - self.flow.left
        else:
            found = self.columns.sums(column, self.condition, self.flow, count=True).limb[0]
        return found if self.sums is None else self.sums.count(found)

    def summed(self, column: str) -> exact.Limbs:
        """[places] exact sums of a numeric column."""
        found = self.columns.sums(column, self.condition, self.flow, count=False)
        return found if self.sums is None else self.sums.total(found)

    def integers(self, column: str) -> bool:
        """Whether a numeric column holds integers."""
        return self.columns.numbers(column).integers
