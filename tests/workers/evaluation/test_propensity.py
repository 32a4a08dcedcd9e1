"""A propensity model is measured on what came after what it learned from, beside the best of its own features."""

import numpy as np
import pytest

from limner.language.errors import LimnerError
from limner.workers.evaluation.propensity import Examples, best_feature, evaluate

DAY = 86_400_000_000
INPUTS = ("noise", "recency", "often null")


def examples(seed: int, first: int, count: int = 600) -> Examples:
    """Ten instants a day apart from day `first` on; recency decides half of the label, a hidden mood the other."""
    random = np.random.default_rng(seed)
    recency, mood = random.exponential(10, count), random.normal(size=count)
    labels = recency / 10 + mood + random.normal(size=count) > 1.2
    features = np.stack([random.normal(size=count), recency, np.where(mood > 0, mood, np.nan)], axis=1)
    instants = (first + np.arange(count) % 10) * DAY
    return Examples(features, labels, np.arange(count) % 200, instants.astype(np.int64))


def score(found: Examples) -> np.ndarray:
    known = found.features[:, 1] / 10 + np.nan_to_num(found.features[:, 2], nan=-0.8)
    return 1 / (1 + np.exp(-(known - 1.2) * 1.5))


def test_a_model_is_compared_with_its_best_feature() -> None:
    """One that uses both beats either alone, the majority too; the drift has a row a month."""
    learned, asked = examples(1, first=0), examples(2, first=40)
    evaluation, drift = evaluate("churn", INPUTS, learned, asked, (score(learned), score(asked)), 30 * DAY, draws=200)
    assert list(evaluation.comparison.intervals) == ["churn", "often null alone", "majority"]
    assert evaluation.comparison.verdict == "beats"
    assert evaluation.comparison.entities == 200
    assert [each.period for each in drift] == ["1970-01", "1970-02"]


def test_a_feature_alone_dressed_as_a_model_beats_nothing() -> None:
    """A model that only repeats its best feature is said not to beat it."""
    learned, asked = examples(1, first=0), examples(2, first=40)
    name, said = best_feature(INPUTS, learned, asked.features)
    assert name == "often null"
    evaluation, _ = evaluate("copy", INPUTS, learned, asked, (score(learned), said), 30 * DAY, draws=100)
    assert (evaluation.comparison.verdict, evaluation.comparison.unbeaten()) == ("ties", ["often null alone"])


def test_labels_that_reach_into_what_is_measured_are_refused() -> None:
    """Learned from until day 9 with labels of 30 days, measured from day 20 on."""
    learned, asked = examples(1, first=0), examples(2, first=20)
    with pytest.raises(LimnerError, match="reach into what is measured"):
        evaluate("churn", INPUTS, learned, asked, (score(learned), score(asked)), 30 * DAY)


def test_one_label_is_nothing_to_compare_with() -> None:
    """An error instead of a line through nothing."""
    learned = examples(1, first=0)
    alike = Examples(learned.features, np.zeros(600, bool), learned.entities, learned.instants)
    with pytest.raises(LimnerError, match="one label only"):
        best_feature(INPUTS, alike, learned.features)
