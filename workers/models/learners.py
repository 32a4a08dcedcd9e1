"""Learners: from examples to a score. One function each; what they give is data."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from limner.workers.derive.values import Array
from limner.workers.models.learned import Boosting, Isotonic, Logistic, Sigmoid, Tree

LARGEST = float(np.finfo(np.float64).max)


def logistic(rows: Array, label: Array, seed: int) -> Logistic:
    """scikit-learn's LogisticRegression (L2, C = 1) on standardized inputs; the median stands for null."""
    from sklearn.linear_model import LogisticRegression

    empty = np.isnan(rows).all(axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without a value
        fill = np.where(empty, 0.0, [np.nanmedian(each) for each in rows.T])  # one by one: less memory
    filled = np.where(np.isnan(rows), fill, rows)
    center, width = filled.mean(axis=0), filled.std(axis=0)
    width = np.where(width > 0, width, 1.0)
    model = LogisticRegression(C=1.0, tol=1e-8, max_iter=2000, random_state=seed)
    filled -= center
    filled /= width
    model.fit(filled, label)
    return Logistic(
        fill=_floats(fill),
        center=_floats(center),
        width=_floats(width),
        weights=_floats(model.coef_[0]),
        intercept=float(model.intercept_[0]),
    )


def boosting(rows: Array, label: Array, seed: int) -> Boosting:
    """scikit-learn's HistGradientBoostingClassifier: 100 small trees; null goes its own way."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    model = HistGradientBoostingClassifier(
        max_iter=100,
        learning_rate=0.1,
        max_leaf_nodes=15,
        min_samples_leaf=20,
        l2_regularization=1.0,
        early_stopping=False,  # would hold out examples by chance, not by time
        random_state=seed,
    )
    # A column without any value makes scikit-learn fail; of a constant one it asks nothing.
    model.fit(np.where(np.isnan(rows).all(axis=0), 0.0, rows), label)
    trees = tuple(_tree(stage[0].nodes) for stage in model._predictors)
    return Boosting(start=float(model._baseline_prediction.ravel()[0]), trees=trees)


def _tree(nodes: Any) -> Tree:
    leaf = nodes["is_leaf"].astype(bool)
    value = np.where(leaf, nodes["value"], 0.0)
    for node in range(len(nodes) - 1, -1, -1):  # children come after their parents
        if not leaf[node]:
            left, right = int(nodes["left"][node]), int(nodes["right"][node])
            counts = np.array([nodes["count"][left], nodes["count"][right]], np.float64)
            value[node] = (counts[0] * value[left] + counts[1] * value[right]) / counts.sum()
    return Tree(
        feature=tuple(np.where(leaf, 0, nodes["feature_idx"]).tolist()),
        threshold=_floats(np.clip(np.where(leaf, 0.0, nodes["num_threshold"]), -LARGEST, LARGEST)),
        null_left=tuple((~leaf & nodes["missing_go_to_left"].astype(bool)).tolist()),
        left=tuple(np.where(leaf, 0, nodes["left"]).tolist()),
        right=tuple(np.where(leaf, 0, nodes["right"]).tolist()),
        value=_floats(value),
    )


LEARNERS: dict[str, Callable[[Array, Array, int], Logistic | Boosting]] = {"logistic": logistic, "boosting": boosting}


def sigmoid(score: Array, label: Array) -> Sigmoid | None:
    """Platt's line through the log-odds; None where scores do not rank the labels."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1e3, tol=1e-8, max_iter=2000).fit(score[:, None], label)
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    return Sigmoid(slope=slope, offset=offset) if slope > 0 else None


def isotonic(score: Array, label: Array) -> Isotonic | None:
    """The rising line that is nearest to the labels; None where it is level."""
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip").fit(score, label.astype(np.float64))
    if not model.y_thresholds_[-1] > model.y_thresholds_[0]:
        return None
    return Isotonic(at=_floats(model.X_thresholds_), to=_floats(model.y_thresholds_))


CALIBRATIONS: dict[str, Callable[[Array, Array], Sigmoid | Isotonic | None]] = {
    "sigmoid": sigmoid,
    "isotonic": isotonic,
}


def _floats(values: Array) -> tuple[float, ...]:
    return tuple((np.asarray(values, np.float64) + 0.0).tolist())
