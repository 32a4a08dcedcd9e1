"""Intervals by resampling entities: rows of one entity go together, for they are not independent of each other.

The percentile bootstrap (Efron 1979) over clusters (Field & Welsh 2007): a draw takes as many entities as there are,
with replacement, and all rows of each. All metrics see the same draws, so that the difference of two models is paired:
what is hard for both cancels.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError
from limner.workers.evaluation.weighted import Array, Metric, Weights

DRAWS = 1000
LEVEL = 0.95
_CELLS = 4_000_000  # weights held at once: 32 MB

Verdict = Literal["beats", "ties", "loses"]
Better = Literal["more", "less"]


@dataclass(frozen=True)
class Interval:
    """A figure with its percentile interval. `undefined` draws (one class only, say) are not in it."""

    value: float
    low: float
    high: float
    level: float = LEVEL
    draws: int = DRAWS
    undefined: int = 0


@dataclass(frozen=True)
class Difference:
    """One model less another in the same draws. `beats`, `loses`: all of the interval is on one side of 0."""

    interval: Interval
    verdict: Verdict


@dataclass(frozen=True)
class Resampled:
    """A metric as it is, and in each draw: (draws,)."""

    value: float
    draws: Array

    def interval(self, level: float = LEVEL) -> Interval:
        """The (1 - level) / 2 quantiles on both sides of the draws in which the metric is defined."""
        defined = self.draws[~np.isnan(self.draws)]
        low, high = (float("nan"), float("nan"))
        if len(defined):
            low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
        return Interval(self.value, float(low), float(high), level, len(self.draws), len(self.draws) - len(defined))

    def less(self, other: "Resampled", better: Better = "more", level: float = LEVEL) -> Difference:
        """This metric less another's, draw by draw; `better` says which side of 0 wins."""
        found = Resampled(self.value - other.value, self.draws - other.draws).interval(level)
        above, below = found.low > 0, found.high < 0
        won, lost = (above, below) if better == "more" else (below, above)
        return Difference(found, "beats" if won else "loses" if lost else "ties")


def resample(
    metrics: Mapping[str, Metric], clusters: npt.NDArray[Any], draws: int = DRAWS, seed: int = 0
) -> dict[str, Resampled]:
    """Every metric in the same draws. `clusters`: the entity of each row, (rows,). The same seed, the same draws.

    Raises LimnerError for fewer than two entities: one of them says nothing about others.
    """
    kept: dict[str, list[Array]] = {name: [] for name in metrics}
    for weights in _draws(clusters, draws, seed):
        for name, metric in metrics.items():
            kept[name].append(metric(weights))
    whole = np.ones((1, len(clusters)))
    return {name: Resampled(float(metric(whole)[0]), np.concatenate(kept[name])) for name, metric in metrics.items()}


def _draws(clusters: npt.NDArray[Any], draws: int, seed: int) -> Iterator[Weights]:
    """Weights of all draws, a block at a time: the size of a block does not change them."""
    names, codes = np.unique(clusters, return_inverse=True)
    if len(names) < 2 or draws < 1:
        raise LimnerError(
            f"an interval needs two entities at least, and one draw: got {len(names)} entities, {draws} draws"
        )
    random = np.random.default_rng(seed)
    block = max(1, _CELLS // max(len(codes), len(names)))
    for start in range(0, draws, block):
        counts = np.zeros((min(block, draws - start), len(names)))
        for place in range(len(counts)):
            counts[place] = np.bincount(random.integers(len(names), size=len(names)), minlength=len(names))
        yield counts[:, codes.reshape(-1)]
