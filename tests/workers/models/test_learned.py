"""What was learned says what its library would, row by row, and can be told apart by input."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.isotonic import IsotonicRegression

from limner.workers.derive.values import Array
from limner.workers.models.learned import Boosting, Isotonic, Learned, Logistic, Sigmoid, Tree
from limner.workers.models.learners import boosting, isotonic, logistic, sigmoid


def _data(rows: int = 600, seed: int = 0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 4))
    x[:, 2] = random.integers(0, 3, rows)
    label = x[:, 0] + x[:, 0] * x[:, 2] + random.normal(size=rows) > 0.3
    x[random.random(x.shape) < 0.15] = np.nan
    x[:, 3] = np.nan  # nobody has a value
    return x, label


def test_trees_score_as_the_library_does() -> None:
    x, label = _data()
    theirs = HistGradientBoostingClassifier(
        max_iter=100, learning_rate=0.1, max_leaf_nodes=15, min_samples_leaf=20, l2_regularization=1.0,
        early_stopping=False, random_state=0,
    ).fit(np.where(np.isnan(x).all(axis=0), 0.0, x), label)  # fmt: skip
    ours = boosting(x, label, 0)
    fresh, _ = _data(seed=1)
    fresh[:50, 3] = 7.0
    np.testing.assert_allclose(ours.score(fresh), theirs.decision_function(fresh), rtol=0, atol=1e-12)


def test_an_isotonic_line_is_that_of_the_library() -> None:
    random = np.random.default_rng(0)
    score = np.round(random.normal(size=300), 1)
    label = random.random(300) < 1 / (1 + np.exp(-score))
    ours = isotonic(score, label)
    assert ours is not None
    theirs = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(score, label)
    asked = np.concatenate([score, random.normal(size=300) * 3])
    np.testing.assert_allclose(ours.probability(asked), theirs.predict(asked), rtol=0, atol=1e-12)


def test_scores_that_rank_nothing_are_not_calibrated_on() -> None:
    score, label = np.arange(20.0), np.arange(20) < 10
    assert sigmoid(score, label) is None
    assert isotonic(score, label) is None


@pytest.mark.parametrize("learner", [logistic, boosting], ids=["logistic", "boosting"])
def test_a_row_is_worth_the_same_whatever_stands_beside_it_and_after_it_was_stored(learner: type) -> None:
    x, label = _data()
    made = Learned(inputs=("a", "b", "c", "d"), scorer=learner(x, label, 0), calibration=Sigmoid(slope=0.8, offset=0.1))
    back = Learned.model_validate_json(made.model_dump_json())
    whole = back.probability(x)
    assert back == made
    assert whole.tolist() == [made.probability(x[place : place + 1])[0] for place in range(len(x))]
    assert ((whole > 0) & (whole < 1)).all()


@pytest.mark.parametrize("learner", [logistic, boosting], ids=["logistic", "boosting"])
def test_contributions_add_up_to_the_score(learner: type) -> None:
    x, label = _data()
    made = learner(x, label, 0)
    np.testing.assert_allclose(made.base + made.contributions(x).sum(axis=1), made.score(x), rtol=0, atol=1e-10)
    assert not made.contributions(x)[:, 3].any()


def test_a_file_that_makes_no_sense_is_refused() -> None:
    """Also one that would lead round in circles."""
    leaf = {"feature": (0,), "threshold": (0.0,), "null_left": (False,), "left": (0,), "right": (0,), "value": (1.0,)}
    tree = Tree(**leaf)
    with pytest.raises(ValueError, match="does not come before its children"):
        Tree(**{**leaf, "left": (1,), "right": (0,)})
    with pytest.raises(ValueError, match="as many of everything as nodes"):
        Tree(**{**leaf, "left": (0, 0)})
    with pytest.raises(ValueError, match="a column that there is not"):
        Learned(inputs=(), scorer=Boosting(start=0.0, trees=(tree,)))
    with pytest.raises(ValueError, match="not a weight for each column"):
        Learned(inputs=("a",), scorer=Logistic(fill=(), center=(), width=(), weights=(), intercept=0.0))
    with pytest.raises(ValueError, match="finite"):
        Isotonic(at=(float("nan"),), to=(0.5,))
