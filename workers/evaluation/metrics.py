"""Metrics of probabilities: how well they rank (ROC-AUC, average precision) and how true they are (Brier, calibration).

The values are scikit-learn's (`roc_auc_score`, `average_precision_score`, `brier_score_loss`, `log_loss` with
`sample_weight`), which tests hold them to; they are computed here because scikit-learn takes one set of weights at a
time, and an interval wants a thousand.
"""

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError
from limner.workers.evaluation.weighted import Array, Metric, Weights, checked, mean, ratio

BINS = 10
"""Bins of the calibration error: of equal width over [0, 1], the last one closed."""

_SMALLEST = float(np.finfo(np.float64).eps)  # log loss keeps probabilities this far from 0 and 1, as scikit-learn does


def roc_auc(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Metric:
    """The share of pairs of a positive and a negative row in which the positive has the higher score; ties are half."""
    truth, found = checked(labels, scores)
    order, starts = _groups(found)

    def of(weights: Weights) -> Array:
        sorted_weights = weights[:, order]
        positive = np.add.reduceat(sorted_weights * truth[order], starts, axis=1)
        negative = np.add.reduceat(sorted_weights * (1 - truth[order]), starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        return ratio((positive * below).sum(axis=1), positive.sum(axis=1) * negative.sum(axis=1))

    return of


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> Metric:
    """The area under precision over recall as a step function: sum of (R_n - R_n-1) P_n over distinct scores."""
    truth, found = checked(labels, scores)
    order, starts = _groups(-found)

    def of(weights: Weights) -> Array:
        sorted_weights = weights[:, order]
        positive = np.add.reduceat(sorted_weights * truth[order], starts, axis=1)
        taken = np.add.reduceat(sorted_weights, starts, axis=1).cumsum(axis=1)
        precision = ratio(positive.cumsum(axis=1), taken, empty=0.0)
        return ratio((positive * precision).sum(axis=1), positive.sum(axis=1))

    return of


def brier(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> Metric:
    """The mean squared distance of the probability from what came: 0 is perfect, 0.25 is 'always one half'."""
    truth, found = checked(labels, _probabilities(probabilities))
    return mean((found - truth) ** 2)


def log_loss(labels: npt.ArrayLike, probabilities: npt.ArrayLike) -> Metric:
    """The mean of -ln(probability given to what came), probabilities kept 2.2e-16 away from 0 and 1."""
    truth, found = checked(labels, _probabilities(probabilities))
    kept = np.clip(found, _SMALLEST, 1 - _SMALLEST)
    return mean(-np.log(np.where(truth == 1, kept, 1 - kept)))


def calibration_error(labels: npt.ArrayLike, probabilities: npt.ArrayLike, bins: int = BINS) -> Metric:
    """Expected calibration error: |mean probability - share of positives| of each bin, weighted by the bin's rows.

    Guo et al. 2017, over the probability of the positive class.
    """
    truth, found = checked(labels, _probabilities(probabilities))
    held = np.eye(bins)[bin_of(found, bins)] * (found - truth)[:, None]

    def of(weights: Weights) -> Array:
        return ratio(np.abs(weights @ held).sum(axis=1), weights.sum(axis=1))

    return of


def bin_of(probabilities: npt.ArrayLike, bins: int = BINS) -> npt.NDArray[np.intp]:
    """The bin of equal width each probability falls into: [0, 1/bins), [1/bins, 2/bins), ... the last one closed."""
    edges = np.arange(1, bins) / bins
    return np.searchsorted(edges, np.asarray(probabilities, dtype=np.float64), side="right")


def _groups(scores: Array) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Rows in ascending order of score, and where each distinct score begins in it."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    return order, np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))


def _probabilities(values: npt.ArrayLike) -> Array:
    found = np.asarray(values, dtype=np.float64)
    if ((found < 0) | (found > 1)).any():
        raise LimnerError("probabilities lie in [0, 1]: these are scores; calibrate them first")
    return found
