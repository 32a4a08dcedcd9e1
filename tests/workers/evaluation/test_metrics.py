"""Metrics equal scikit-learn's with weights, and the plainest Python's without."""

import math
import warnings
from collections.abc import Callable, Sequence
from itertools import product

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given
from hypothesis import strategies as st

from limner.language.errors import LimnerError
from limner.workers.evaluation import classes, metrics
from limner.workers.evaluation.weighted import Array, Metric, value

Rows = list[tuple[bool, float, int]]
"""Label, score and weight."""


@st.composite
def rows(draw: st.DrawFn) -> Rows:
    """Rows of both classes, their scores often equal, their weights often 0; both classes keep some weight."""
    scores = st.integers(0, 6).map(lambda n: n / 6) | st.floats(0, 1)
    found = draw(st.lists(st.tuples(st.booleans(), scores, st.integers(0, 3)), max_size=30))
    return [*found, (True, draw(scores), 1), (False, draw(scores), 2)]


def apart(found: Rows) -> tuple[Array, Array, Array]:
    labels, scores, weights = zip(*found, strict=True)
    return np.array(labels, float), np.array(scores, float), np.array(weights, float)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.roc_auc, reference.roc_auc_score),
        (metrics.average_precision, reference.average_precision_score),
        (metrics.brier, reference.brier_score_loss),
        (metrics.log_loss, reference.log_loss),
    ],
)
@given(found=rows())
def test_metrics_of_probabilities_equal_scikit_learns(
    ours: Callable[[Array, Array], Metric], theirs: Callable[..., float], found: Rows
) -> None:
    """Each row of a matrix of weights gives what scikit-learn gives for these weights."""
    labels, scores, weights = apart(found)
    got = ours(labels, scores)(np.stack([weights, np.ones(len(weights))]))
    assert got == pytest.approx([theirs(labels, scores, sample_weight=weights), theirs(labels, scores)])


@given(found=rows())
def test_roc_auc_counts_pairs(found: Rows) -> None:
    """By its definition: the share of pairs that are in order, a tie being half a pair."""
    labels, scores, _ = apart(found)
    pairs = [(a > b) + (a == b) / 2 for a, b in product(scores[labels == 1], scores[labels == 0])]
    assert value(metrics.roc_auc(labels, scores), len(labels)) == pytest.approx(sum(pairs) / len(pairs))


@given(found=rows(), bins=st.integers(1, 12))
def test_calibration_error_compares_each_bin(found: Rows, bins: int) -> None:
    """By its definition: a row at a time, weights as repetitions."""
    labels, scores, weights = apart(found)
    rows_of: dict[int, list[tuple[float, float]]] = {}
    for label, score, weight in zip(labels, scores, weights, strict=True):
        held = max(place for place in range(bins) if place / bins <= score)
        rows_of.setdefault(held, []).extend([(label, score)] * int(weight))
    error = sum(abs(sum(score for _, score in each) - sum(label for label, _ in each)) for each in rows_of.values())
    got = metrics.calibration_error(labels, scores, bins)(weights[None])[0]
    assert got == pytest.approx(error / weights.sum(), abs=1e-12)


def test_a_draw_of_one_class_has_no_roc_auc() -> None:
    """Undefined is NaN, not a number that looks like one."""
    metric = metrics.roc_auc([0, 1, 1], [0.1, 0.2, 0.3])
    assert np.isnan(metric(np.array([[0.0, 1.0, 1.0]])))[0]
    assert value(metric, 3) == 1


@pytest.mark.parametrize(
    ("labels", "scores", "said"),
    [
        ([0, 1], [0.5], "one score for each label"),
        ([], [], "one at least"),
        ([0, 2], [0.5, 0.5], "0 and 1"),
        ([0, 1], [0.5, math.nan], "missing"),
    ],
)
def test_what_cannot_be_measured_is_refused(labels: list[float], scores: list[float], said: str) -> None:
    """Labels that are no classes and missing scores are errors, not figures."""
    with pytest.raises(LimnerError, match=said):
        metrics.roc_auc(labels, scores)


def test_scores_are_no_probabilities() -> None:
    """Only probabilities have a Brier score."""
    with pytest.raises(LimnerError, match="calibrate"):
        metrics.brier([0, 1], [0.5, 1.5])


Classified = list[tuple[int, int, int]]
"""True class, class said, weight."""


@st.composite
def classified(draw: st.DrawFn) -> tuple[int, Classified]:
    """A number of classes and rows; some classes may be missing on either side."""
    count = draw(st.integers(2, 4))
    place = st.integers(0, count - 1)
    return count, draw(st.lists(st.tuples(place, place, st.integers(1, 3)), min_size=1, max_size=25))


@given(classified())
def test_precision_recall_and_f1_equal_scikit_learns(drawn: tuple[int, Classified]) -> None:
    """A class at a time and on average, 0 where nothing is said or nothing is there."""
    count, found = drawn
    truth, said, weights = (np.array(each) for each in zip(*found, strict=True))
    theirs = reference.precision_recall_fscore_support(
        truth, said, labels=range(count), sample_weight=weights, zero_division=0
    )
    ours: Sequence[Callable[..., Metric]] = (classes.precision, classes.recall, classes.f1)
    for metric, expected in zip(ours, theirs, strict=False):
        got = [metric(truth, said, place)(weights[None] * 1.0)[0] for place in range(count)]
        assert got == pytest.approx(list(expected))
        assert classes.macro(metric, truth, said, count)(weights[None] * 1.0)[0] == pytest.approx(np.mean(expected))
    assert classes.accuracy(truth, said)(weights[None] * 1.0)[0] == pytest.approx(
        reference.accuracy_score(truth, said, sample_weight=weights)
    )
    assert (classes.confusion(truth, said, count) == reference.confusion_matrix(truth, said, labels=range(count))).all()


@given(classified(), st.integers(0, 1000))
def test_metrics_of_many_classes_equal_scikit_learns(drawn: tuple[int, Classified], seed: int) -> None:
    """One against the rest and averaged; log loss of the true class; the squares of all classes' distances."""
    count, found = drawn
    truth = np.array([*range(count), *(each[0] for each in found)])
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(count), size=len(truth))
    binary = count == 2
    scores = probabilities[:, 1] if binary else probabilities
    assert value(classes.macro_roc_auc(truth, probabilities), len(truth)) == pytest.approx(
        reference.roc_auc_score(truth, scores, multi_class="ovr", average="macro")
    )
    onehot = truth if binary else np.eye(count)[truth]
    assert value(classes.macro_average_precision(truth, probabilities), len(truth)) == pytest.approx(
        reference.average_precision_score(onehot, scores)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert value(classes.log_loss(truth, probabilities), len(truth)) == pytest.approx(
            reference.log_loss(truth, probabilities)
        )
    squares = ((probabilities - np.eye(count)[truth]) ** 2).sum(axis=1).mean()
    assert value(classes.brier(truth, probabilities), len(truth)) == pytest.approx(squares / 2 if binary else squares)


def test_calibration_of_many_classes_is_of_what_is_said() -> None:
    """Three rows said with 0.6, of which one is right: an error of 0.27."""
    probabilities = np.tile([0.6, 0.3, 0.1], (3, 1))
    metric = classes.calibration_error(np.array([0, 1, 2]), probabilities)
    assert value(metric, 3) == pytest.approx(0.6 - 1 / 3)


def test_probabilities_of_classes_add_up_to_one() -> None:
    """A column short is refused."""
    with pytest.raises(LimnerError, match="add up to one"):
        classes.brier(np.array([0, 1]), np.array([[0.5, 0.2], [0.5, 0.5]]))
