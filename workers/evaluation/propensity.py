"""How good a version of a propensity model is on examples of after its cut-off, as arrays: for `limner evaluate`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError
from limner.workers.evaluation import metrics
from limner.workers.evaluation.baselines import majority
from limner.workers.evaluation.bootstrap import DRAWS
from limner.workers.evaluation.drift import Drift, by_month
from limner.workers.evaluation.evaluate import Evaluation, of_classes
from limner.workers.evaluation.split import Instants, check_windows
from limner.workers.evaluation.weighted import Array, value


@dataclass(frozen=True)
class Examples:
    """Examples of a model: features (rows, features) with NaN for null, labels, entities and instants (µs)."""

    features: Array
    labels: npt.NDArray[np.bool_]
    entities: npt.NDArray[Any]
    instants: Instants

    def of(self, mask: npt.NDArray[np.bool_]) -> "Examples":
        """Those of a mask, (rows,)."""
        return Examples(self.features[mask], self.labels[mask], self.entities[mask], self.instants[mask])


def evaluate(
    model: str,
    inputs: Sequence[str],
    learned: Examples,
    asked: Examples,
    probabilities: tuple[Array, Array],
    horizon: int,
    names: tuple[str, str] = ("no", "yes"),
    more: Mapping[str, Array] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> tuple[Evaluation, Sequence[Drift]]:
    """The model beside the majority and the best of its features alone, and the drift of its score by month.

    `learned` are the examples the version was made of, `asked` those it is measured on; `probabilities`, (rows,) each,
    are the model's on both; `horizon`: how far labels look ahead (µs). `more`: probabilities of further baselines on
    `asked`. An input without a name is a part of a vector: no feature that would be asked alone. LimnerError if labels
    learned from reach into what is measured, or one side has no examples.
    """
    check_windows(learned.instants, asked.instants, horizon)
    best, alone = best_feature(inputs, learned, asked.features)
    contenders = {model: two(probabilities[1]), f"{best} alone": two(alone)}
    contenders |= {name: two(each) for name, each in (more or {}).items()}
    contenders["majority"] = majority(learned.labels.astype(np.intp), 2, len(asked.labels))
    evaluation = of_classes(asked.labels.astype(np.intp), names, contenders, asked.entities, draws=draws, seed=seed)
    instants = np.concatenate([learned.instants, asked.instants])
    return evaluation, by_month(probabilities[0], np.concatenate(probabilities), instants)


def best_feature(inputs: Sequence[str], learned: Examples, asked: Array) -> tuple[str, Array]:
    """The feature whose line has the highest ROC-AUC on what was learned from, and its probabilities: (asked rows,).

    A line is a logistic regression on the feature, its logarithm of 1 + size (keeping the sign), and whether it is
    null. LimnerError where there are labels of one kind only.
    """
    if learned.labels.all() or not learned.labels.any():
        raise LimnerError("the examples learned from have one label only: there is nothing to compare with")
    found = []
    for place, name in enumerate(inputs):
        if not name and any(inputs):
            continue
        before, after = (_bent(each[:, place]) for each in (learned.features, asked))
        fitted, said = _line(before, learned.labels, after)
        found.append((value(metrics.roc_auc(learned.labels, fitted), len(fitted)), name, said))
    _, name, said = max(found, key=lambda each: each[0])
    return name, said


def two(positive: Array) -> Array:
    """The probability of yes as those of no and yes: (rows, 2)."""
    return np.stack([1 - positive, positive], axis=1)


def _bent(feature: Array) -> Array:
    null = np.isnan(feature)
    filled = np.where(null, 0.0, feature)
    return np.stack([filled, np.sign(filled) * np.log1p(np.abs(filled)), null.astype(np.float64)], axis=1)


def _line(learned: Array, labels: npt.NDArray[np.bool_], asked: Array) -> tuple[Array, Array]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(learned, labels)
    fitted, said = (np.asarray(line.predict_proba(each)[:, 1], dtype=np.float64) for each in (learned, asked))
    return fitted, said
