"""Whether scores still look as they did when the model was made: the population stability index."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError
from limner.workers.evaluation.weighted import Array

BINS = 10
MODERATE, STRONG = 0.1, 0.25
"""Usual reading of the index: below 0.1 as before, from 0.25 another population (Siddiqi 2006)."""


@dataclass(frozen=True)
class Drift:
    """The scores of one period beside those of the reference."""

    period: str
    rows: int
    mean: float
    index: float


def stability_index(reference: Array, scores: Array, bins: int = BINS) -> float:
    """Sum of (q - p) ln(q / p) over bins that hold equal shares of the reference; 0 where both are alike.

    Half a row is added to each bin of both, so that an empty one does not make it infinite. LimnerError without rows.
    """
    if not len(reference) or not len(scores):
        raise LimnerError("the drift of scores needs scores on both sides")
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    edges = edges[edges > reference.min()]  # no bin below the least score: it would be empty
    before, after = (_shares(each, edges) for each in (reference, scores))
    return float(((after - before) * np.log(after / before)).sum())


def by_month(reference: Array, scores: Array, instants: npt.NDArray[np.int64]) -> Sequence[Drift]:
    """The index of each calendar month (UTC) of `instants` (µs), in order, against the reference's scores."""
    months = instants.astype("datetime64[us]").astype("datetime64[M]")
    return [
        Drift(str(month), len(found), float(found.mean()), stability_index(reference, found))
        for month in np.unique(months)
        if len(found := scores[months == month])
    ]


def _shares(scores: Array, edges: Array) -> Array:
    counts = np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1) + 0.5
    return np.asarray(counts / counts.sum())
