"""How good a model's probabilities are, beside what is true."""

import numpy as np

from limner.workers.derive.values import Array

_BINS = 10


def measured(probability: Array, label: Array) -> dict[str, float]:
    """Metrics of [examples] probabilities and labels; {} where all labels are the same.

    `calibration_error`: the mean distance of probability and frequency in ten bins of equally many examples.
    """
    if label.all() or not label.any():
        return {}
    from sklearn import metrics

    return {
        "roc_auc": float(metrics.roc_auc_score(label, probability)),
        "average_precision": float(metrics.average_precision_score(label, probability)),
        "log_loss": float(metrics.log_loss(label, probability, labels=[False, True])),
        "brier": float(np.mean((probability - label) ** 2)),
        "calibration_error": _calibration_error(probability, label),
        "examples": float(len(label)),
        "base_rate": float(label.mean()),
    }


def _calibration_error(probability: Array, label: Array) -> float:
    order = np.argsort(probability, kind="stable")
    bins = [each for each in np.array_split(order, _BINS) if len(each)]
    return float(sum(len(each) * abs(probability[each].mean() - label[each].mean()) for each in bins) / len(order))


def separation(column: Array, label: Array) -> float:
    """The area under the curve of one input by itself, whichever way it points; nulls are below all numbers.

    That is how often, of a yes and a no, the yes has the greater value; equal ones count half (Mann and Whitney, 1947).
    """
    distinct, place = np.unique(np.where(np.isnan(column), -np.inf, column), return_inverse=True)
    yes = np.bincount(place[label], minlength=len(distinct))
    no = np.bincount(place[~label], minlength=len(distinct))
    below = np.cumsum(no) - no
    area = (int((yes * below).sum()) + int((yes * no).sum()) / 2) / (int(yes.sum()) * int(no.sum()))
    return max(area, 1.0 - area)
