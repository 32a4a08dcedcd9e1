"""From predictions to what a report shows: the comparison with baselines, and the plots that go with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.workers.evaluation import charts, classes
from limner.workers.evaluation.bootstrap import DRAWS
from limner.workers.evaluation.charts import Chart
from limner.workers.evaluation.classes import Places
from limner.workers.evaluation.compare import Comparison, Measure, compare
from limner.workers.evaluation.metrics import BINS
from limner.workers.evaluation.ranking import Ranking
from limner.workers.evaluation.weighted import Array, Metric, mean

_MANY = 6  # classes with a curve of their own


@dataclass(frozen=True)
class Confusion:
    """Rows of each true class (down) and class said (across)."""

    names: Sequence[str]
    counts: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """A model's comparison, its plots, and the confusion of its classes (None for a ranking)."""

    comparison: Comparison
    charts: tuple[Chart, ...]
    confusion: Confusion | None = None


def of_classes(
    truth: Places,
    names: Sequence[str],
    contenders: Mapping[str, Array],
    clusters: npt.NDArray[Any],
    threshold: float = 0.5,
    decides: str = "",
    draws: int = DRAWS,
    seed: int = 0,
) -> Evaluation:
    """Evaluate classifiers on the same rows. `truth`: places in `names`, (rows,). The first contender is the model.

    `contenders`: probabilities (rows, classes). `clusters`: the entity of each row. `threshold`: from which probability
    the second of two classes is said. `decides`: the measure of the verdict (default: ROC-AUC).
    """
    metrics = {name: class_metrics(truth, found, names, threshold) for name, found in contenders.items()}
    ordered = sorted(class_measures(names), key=lambda measure: measure.name != (decides or measure.name))
    comparison = compare(metrics, ordered, clusters, draws, seed=seed)
    model = next(iter(contenders.values()))
    confusion = Confusion(names, classes.confusion(truth, said(model, threshold), len(names)))
    return Evaluation(comparison, tuple(_class_charts(truth, names, contenders)), confusion)


def of_rankings(
    rankings: Mapping[str, Ranking],
    clusters: npt.NDArray[Any],
    k: int = 10,
    draws: int = DRAWS,
    seed: int = 0,
) -> Evaluation:
    """Evaluate rankings of the same queries; the first contender is the model, and NDCG@k decides.

    `clusters`: the entity of each query, in the order of `Ranking.queries`.
    """
    metrics = {
        name: {f"NDCG@{k}": mean(each.ndcg(k)), f"recall@{k}": mean(each.recall(k)), f"hit rate@{k}": mean(each.hit(k))}
        for name, each in rankings.items()
    }
    measures = [Measure(name) for name in next(iter(metrics.values()))]
    return Evaluation(compare(metrics, measures, clusters, draws, seed=seed), (charts.by_length(rankings),))


def said(probabilities: Array, threshold: float = 0.5) -> Places:
    """The class each row is said to be of: (rows,). Of two, the second from `threshold` on; of many, the likeliest."""
    if probabilities.shape[1] == 2:
        return (probabilities[:, 1] >= threshold).astype(np.intp)
    return np.asarray(probabilities.argmax(axis=1))


def class_measures(names: Sequence[str]) -> list[Measure]:
    """What is measured of classes, in the order of a report; ROC-AUC decides unless another is named."""
    if len(names) == 2:
        shares = [Measure("precision"), Measure("recall"), Measure("F1")]
    else:
        shares = [Measure("macro precision"), Measure("macro recall"), Measure("macro F1")]
        shares += [Measure(f"{what} of {name}") for name in names for what in ("precision", "recall", "F1")]
    losses = [Measure(name, "less") for name in ("Brier score", f"calibration error ({BINS} bins)", "log loss")]
    return [Measure("ROC-AUC"), Measure("PR-AUC"), Measure("accuracy"), *shares, *losses]


def class_metrics(
    truth: Places, probabilities: Array, names: Sequence[str], threshold: float = 0.5
) -> dict[str, Metric]:
    """The metrics that `class_measures` names."""
    found, count = said(probabilities, threshold), len(names)
    every = {"precision": classes.precision, "recall": classes.recall, "F1": classes.f1}
    metrics = {
        "ROC-AUC": classes.macro_roc_auc(truth, probabilities),
        "PR-AUC": classes.macro_average_precision(truth, probabilities),
        "accuracy": classes.accuracy(truth, found),
        "Brier score": classes.brier(truth, probabilities),
        f"calibration error ({BINS} bins)": classes.calibration_error(truth, probabilities),
        "log loss": classes.log_loss(truth, probabilities),
    }
    if count == 2:
        return metrics | {name: metric(truth, found, 1) for name, metric in every.items()}
    metrics |= {f"macro {name}": classes.macro(metric, truth, found, count) for name, metric in every.items()}
    return metrics | {
        f"{name} of {one}": metric(truth, found, place)
        for place, one in enumerate(names)
        for name, metric in every.items()
    }


def _class_charts(truth: Places, names: Sequence[str], contenders: Mapping[str, Array]) -> list[Chart]:
    model = next(iter(contenders.values()))
    if len(names) == 2:
        second = {name: each[:, 1] for name, each in contenders.items()}
        return [
            charts.roc(truth == 1, second),
            charts.precision_recall(truth == 1, second),
            charts.reliability(truth == 1, model[:, 1]),
            charts.scores(truth == 1, model[:, 1], (names[0], names[1])),
        ]
    drawn = []
    counts = np.bincount(truth, minlength=len(names))
    for place in [each for each in np.argsort(-counts, kind="stable")[:_MANY] if counts[each]]:
        one = {name: each[:, place] for name, each in contenders.items()}
        drawn.append(charts.roc(truth == place, one, f"ROC curve: {names[place]} against the rest"))
    right = model.argmax(axis=1) == truth
    return [*drawn, charts.reliability(right, model.max(axis=1))]
