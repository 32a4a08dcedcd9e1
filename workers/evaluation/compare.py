"""A model beside its baselines: every metric with an interval, every difference paired, and one verdict."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError
from limner.workers.evaluation.bootstrap import DRAWS, LEVEL, Better, Difference, Interval, Verdict, resample
from limner.workers.evaluation.weighted import Metric

DIGITS = 6
"""Decimals of figures that are kept: beyond them, the order of a sum shows."""


@dataclass(frozen=True)
class Measure:
    """A metric's name, and which way is better."""

    name: str
    better: Better = "more"


@dataclass(frozen=True)
class Comparison:
    """The first contender is the model, the others are baselines. `differences`: model less baseline, by baseline."""

    measures: tuple[Measure, ...]  # the first one decides
    intervals: Mapping[str, Mapping[str, Interval]]
    differences: Mapping[str, Mapping[str, Difference]]
    rows: int
    entities: int
    seed: int

    @property
    def model(self) -> str:
        """The name of what is evaluated."""
        return next(iter(self.intervals))

    @property
    def verdict(self) -> Verdict:
        """`beats` every baseline in the measure that decides, `loses` to one at least, or neither."""
        found = {each[self.measures[0].name].verdict for each in self.differences.values()}
        return "loses" if "loses" in found else "ties" if "ties" in found else "beats"

    def unbeaten(self) -> list[str]:
        """The baselines that the model does not beat in the measure that decides."""
        decides = self.measures[0].name
        return [name for name, each in self.differences.items() if each[decides].verdict != "beats"]

    def to_json(self) -> dict[str, Any]:
        """Plain data, figures rounded to six decimals; an undefined one is None."""
        whole = {
            "model": self.model,
            "decides": self.measures[0].name,
            "verdict": self.verdict,
            "rows": self.rows,
            "entities": self.entities,
            "seed": self.seed,
            "intervals": {
                name: {key: asdict(one) for key, one in each.items()} for name, each in self.intervals.items()
            },
            "differences": {
                name: {key: asdict(one) for key, one in each.items()} for name, each in self.differences.items()
            },
        }
        return dict(_rounded(whole))


def compare(
    contenders: Mapping[str, Mapping[str, Metric]],
    measures: Sequence[Measure],
    clusters: npt.NDArray[Any],
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Comparison:
    """Compare the first contender with all others; each maps a measure's name to its metric over the same rows.

    `clusters`: the entity of each row. LimnerError without a baseline: a figure alone says little.
    """
    model, *baselines = contenders
    if not baselines:
        raise LimnerError(f"{model} needs a baseline beside it: the majority class, popularity, or its own frequency")
    named = {(name, one.name): contenders[name][one.name] for name in contenders for one in measures}
    flat = resample({f"{name}\0{key}": metric for (name, key), metric in named.items()}, clusters, draws, seed)
    found = {name: {one.name: flat[f"{name}\0{one.name}"] for one in measures} for name in contenders}
    return Comparison(
        tuple(measures),
        {name: {key: one.interval(level) for key, one in each.items()} for name, each in found.items()},
        {
            name: {one.name: found[model][one.name].less(found[name][one.name], one.better, level) for one in measures}
            for name in baselines
        },
        len(clusters),
        len(np.unique(clusters)),
        seed,
    )


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, DIGITS)
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return value
