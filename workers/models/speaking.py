"""What a model says of entities at instants: at each the version with the latest cut-off speaks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.language.features import Predict
from limner.workers.derive.values import Array, as_float, of_arrow
from limner.workers.models.learned import Learned
from limner.workers.models.versions import read_learned


@dataclass(frozen=True)
class Speaking:
    """The versions of a model by rising cut-off (µs)."""

    versions: tuple[tuple[int, Learned], ...]

    def at(self, instant: int) -> Learned | None:
        """The version that speaks at an instant; None before the first cut-off."""
        known = [learned for cut_off, learned in self.versions if cut_off <= instant]
        return known[-1] if known else None


def speaking(feature: Predict, data: Path, until: int) -> Speaking:
    """The versions that a feature was applied with and that speak by `until` (µs). LimnerError where one is gone."""
    found = []
    for pin in feature.pins:
        if pin.cut_off <= until:
            learned = read_learned(data, feature.predict, pin.version)
            if learned.inputs != feature.inputs:
                raise LimnerError(f"version {pin.version} of model {feature.predict} reads other features: restore it")
            found.append((pin.cut_off, learned))
    return Speaking(tuple(found))


def matrix(inputs: Sequence[str], columns: Mapping[str, pa.Array]) -> Array:
    """[rows, inputs] float64, NaN for null: numbers as they are, yes and no as 1 and 0."""
    found = [of_arrow(columns[name]) for name in inputs]
    return np.stack([np.where(each.null, np.nan, as_float(each)) for each in found], axis=1)


def predicted(
    said: Speaking | None, inputs: Sequence[str], columns: Mapping[str, pa.Array], instant: Array
) -> pa.Array:
    """[rows] the probability at the instant (µs) of each row; null before the first cut-off."""
    values, known = np.zeros(len(instant)), np.zeros(len(instant), bool)
    versions = said.versions if said is not None else ()
    turns = [cut_off for cut_off, _ in versions]
    which = np.searchsorted(np.array(turns, np.int64), instant, side="right") - 1
    rows = matrix(inputs, columns) if (which >= 0).any() else None
    for place, (_, learned) in enumerate(versions):
        mine = np.flatnonzero(which == place)
        if len(mine) and rows is not None:
            values[mine] = learned.probability(rows[mine])
            known[mine] = True
    return pa.array(values + 0.0, mask=~known)
