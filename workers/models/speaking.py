"""What a model says of entities at instants: at each the version with the latest cut-off speaks."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.language.features import Asking
from limner.workers.derive.values import Array
from limner.workers.models.contents import Content, read_content


@dataclass(frozen=True)
class Speaking:
    """The versions of a model by rising cut-off (µs)."""

    versions: tuple[tuple[int, Content], ...]

    def at(self, instant: int) -> Content | None:
        """The version that speaks at an instant; None before the first cut-off."""
        known = [learned for cut_off, learned in self.versions if cut_off <= instant]
        return known[-1] if known else None


def speaking(feature: Asking, data: Path, until: int) -> Speaking:
    """The versions that a feature was applied with and that speak by `until` (µs). LimnerError where one is gone."""
    found = []
    for pin in feature.pins:
        if pin.cut_off <= until:
            learned = read_content(data, feature.model, pin.version)
            if learned.inputs != feature.inputs:
                raise LimnerError(f"version {pin.version} of model {feature.model} reads other features: restore it")
            found.append((pin.cut_off, learned))
    return Speaking(tuple(found))


def spoken(
    said: Speaking | None, feature: Asking, columns: Mapping[str, pa.Array], instant: Array, kind: pa.DataType
) -> pa.Array:
    """[rows] of the type `kind`: what the model says at the instant (µs) of each row; null before the first cut-off."""
    versions = said.versions if said is not None else ()
    turns = [cut_off for cut_off, _ in versions]
    which = np.searchsorted(np.array(turns, np.int64), instant, side="right") - 1
    rows = [np.flatnonzero(which < 0)]
    parts = [pa.nulls(len(rows[0]), kind)]
    for place, (_, content) in enumerate(versions):
        mine = np.flatnonzero(which == place)
        if len(mine):
            some = {name: columns[name].take(pa.array(mine)) for name in feature.inputs}
            rows.append(mine)
            parts.append(content.says(feature.wanted, some))
    return pa.concat_arrays(parts).take(pa.array(np.argsort(np.concatenate(rows))))
