"""What a metric is here: a function of the rows' weights, so that a bootstrap evaluates all its draws at once.

A draw of a bootstrap takes each row some number of times, which is a weight. A metric is made once from the rows (which
sorts them, say), and then gives its value for each row of a matrix of weights; weights of one give the metric itself.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError

Array = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float64]
"""(draws, rows), none negative."""
Metric = Callable[[Weights], Array]
"""Weights to (draws,) values; NaN where a draw leaves the metric undefined."""


def value(metric: Metric, rows: int) -> float:
    """The metric of `rows` rows as they are; NaN where it is not defined for them."""
    return float(metric(np.ones((1, rows)))[0])


def mean(values: npt.ArrayLike) -> Metric:
    """The weighted mean of one value a row; rows of NaN do not count."""
    found = np.asarray(values, dtype=np.float64)
    counts = ~np.isnan(found)
    filled = np.where(counts, found, 0.0)

    def of(weights: Weights) -> Array:
        return ratio(weights @ filled, weights @ counts.astype(np.float64))

    return of


def ratio(over: Array, under: Array, empty: float = np.nan) -> Array:
    """Return over / under, and `empty` where under is 0."""
    found: Array = np.divide(over, under, out=np.full(np.shape(over), empty), where=under != 0)
    return found


def checked(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Array, Array]:
    """Binary labels as 0.0 and 1.0, and scores of the same length. LimnerError on anything else, or NaN."""
    truth, found = np.asarray(labels, dtype=np.float64), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != found.shape or not len(truth):
        raise LimnerError(f"a metric takes one score for each label, and one at least: {truth.shape}, {found.shape}")
    if not np.isin(truth, (0.0, 1.0)).all():
        raise LimnerError("labels of a metric of two classes are 0 and 1")
    if np.isnan(found).any():
        raise LimnerError("some scores are missing (NaN): say what they mean (0.5, say) before they are measured")
    return truth, found
