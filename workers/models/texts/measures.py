"""How good probabilities of classes are, beside what is true."""

import numpy as np

from limner.workers.derive.values import Array

_BINS = 10


def measured(probability: Array, label: Array, classes: tuple[str, ...]) -> dict[str, float]:
    """Metrics of probabilities [texts, classes] and places of the true classes [texts]; {} without two of them.

    `baseline_accuracy`: of saying always what is most frequent here. `calibration_error`: the mean distance of how sure
    it is from how often it is right, in ten bins of equally many texts. `roc_auc`: the mean of the classes, each
    against all others.
    """
    there = np.unique(label)
    if len(there) < 2:
        return {}
    from sklearn import metrics

    said = probability.argmax(axis=1)
    counts = np.bincount(label, minlength=len(classes))
    recalls = {f"recall_{classes[each]}": float(np.mean(said[label == each] == each)) for each in there}
    areas = [float(metrics.roc_auc_score(label == each, probability[:, each])) for each in there]
    return {
        "accuracy": float(np.mean(said == label)),
        "baseline_accuracy": float(counts.max() / len(label)),
        "macro_f1": float(metrics.f1_score(label, said, labels=there, average="macro", zero_division=0.0)),
        **recalls,
        "roc_auc": float(np.mean(areas)),
        "log_loss": log_loss(probability, label),
        "calibration_error": _calibration_error(probability.max(axis=1), said == label),
        "examples": float(len(label)),
    }


def log_loss(probability: Array, label: Array) -> float:
    """The mean of -ln(probability of the true class)."""
    true = np.clip(probability[np.arange(len(label)), label], 1e-12, 1.0)
    return float(-np.log(true).mean())


def _calibration_error(sure: Array, right: Array) -> float:
    order = np.argsort(sure, kind="stable")
    bins = [each for each in np.array_split(order, _BINS) if len(each)]
    return float(sum(len(each) * abs(sure[each].mean() - right[each].mean()) for each in bins) / len(order))
