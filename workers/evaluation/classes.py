"""Metrics of classes: what was said beside what was true, for two classes or many.

Classes are places in a list of names, 0 first. Probabilities are (rows, classes) and sum to one in each row.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError
from limner.workers.evaluation import metrics
from limner.workers.evaluation.weighted import Array, Metric, Weights, mean, ratio

Places = npt.NDArray[np.intp]


def accuracy(truth: npt.ArrayLike, said: npt.ArrayLike) -> Metric:
    """The share of rows whose class was said."""
    return mean(np.asarray(truth) == np.asarray(said))


def confusion(truth: Places, said: Places, classes: int) -> npt.NDArray[np.int64]:
    """Rows of each true class (down) and class said (across): (classes, classes)."""
    return np.bincount(truth * classes + said, minlength=classes * classes).reshape(classes, classes)


def precision(truth: Places, said: Places, of_class: int) -> Metric:
    """Of the rows said to be of a class, the share that are; 0 where none is said to be."""
    return _share((truth == of_class) & (said == of_class), said == of_class)


def recall(truth: Places, said: Places, of_class: int) -> Metric:
    """Of the rows of a class, the share that are said to be of it; 0 where there are none."""
    return _share((truth == of_class) & (said == of_class), truth == of_class)


def f1(truth: Places, said: Places, of_class: int) -> Metric:
    """The harmonic mean of precision and recall of a class; 0 where neither is defined."""
    both = ((truth == of_class) & (said == of_class)) * 2.0
    return _share(both, (truth == of_class) * 1.0 + (said == of_class))


def macro(metric: Callable[[Places, Places, int], Metric], truth: Places, said: Places, classes: int) -> Metric:
    """The plain mean over all classes, rare ones counting as much as frequent ones."""
    return _average([metric(truth, said, place) for place in range(classes)])


def macro_roc_auc(truth: Places, probabilities: Array) -> Metric:
    """The mean of each class's ROC-AUC against all others; of the second class alone where there are two."""
    return _one_against_rest(metrics.roc_auc, truth, probabilities)


def macro_average_precision(truth: Places, probabilities: Array) -> Metric:
    """The mean of each class's average precision; of the second class alone where there are two."""
    return _one_against_rest(metrics.average_precision, truth, probabilities)


def brier(truth: Places, probabilities: Array) -> Metric:
    """Two classes: (p - y)² of the second one. More: the squared distances of all classes' probabilities, summed."""
    found = distribution(probabilities)
    if found.shape[1] == 2:
        return metrics.brier(truth == 1, found[:, 1])
    return mean(((found - np.eye(found.shape[1])[truth]) ** 2).sum(axis=1))


def log_loss(truth: Places, probabilities: Array) -> Metric:
    """The mean of -ln(probability given to the true class)."""
    given = np.take_along_axis(distribution(probabilities), truth[:, None], axis=1)[:, 0]
    return metrics.log_loss(np.ones(len(truth)), given)


def calibration_error(truth: Places, probabilities: Array, bins: int = metrics.BINS) -> Metric:
    """Two classes: of the second one's probability. More: of the probability of the class that is said."""
    found = distribution(probabilities)
    if found.shape[1] == 2:
        return metrics.calibration_error(truth == 1, found[:, 1], bins)
    return metrics.calibration_error(found.argmax(axis=1) == truth, found.max(axis=1), bins)


def distribution(probabilities: npt.ArrayLike) -> Array:
    """Probabilities as an array, checked: (rows, classes), each row adding up to one within 1e-6."""
    found = np.asarray(probabilities, dtype=np.float64)
    if found.ndim != 2 or found.shape[1] < 2 or not np.allclose(found.sum(axis=1), 1, atol=1e-6):
        raise LimnerError(f"probabilities of classes are (rows, classes) and add up to one: got {found.shape}")
    return np.clip(found, 0.0, 1.0)


def _one_against_rest(
    metric: Callable[[npt.ArrayLike, npt.ArrayLike], Metric], truth: Places, probabilities: Array
) -> Metric:
    found = distribution(probabilities)
    if found.shape[1] == 2:
        return metric(truth == 1, found[:, 1])
    return _average([metric(truth == place, found[:, place]) for place in range(found.shape[1])])


def _average(parts: list[Metric]) -> Metric:
    def of(weights: Weights) -> Array:
        return np.asarray(np.mean([part(weights) for part in parts], axis=0))

    return of


def _share(over: npt.ArrayLike, under: npt.ArrayLike) -> Metric:
    above, below = np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64)

    def of(weights: Weights) -> Array:
        return ratio(weights @ above, weights @ below, empty=0.0)

    return of
