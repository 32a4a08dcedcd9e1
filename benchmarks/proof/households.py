"""What households will do: whether they stay away (churn), and whether they redeem a coupon.

An example is a household at a midnight q: features of what was before q, a label of [q, q + 30 days). Examples are
drawn every 15 days, and learned from if their labels end at the cut-off at the latest; measured are those of the
cut-off.
Baselines are lines through one feature each, so that their probabilities are calibrated, too.
"""

from dataclasses import dataclass
from datetime import date
from time import perf_counter

import numpy as np

from limner.benchmarks.proof.examples import of_churn, of_coupons, together
from limner.benchmarks.proof.journey import CUT_OFF, Journey, before, micros
from limner.benchmarks.proof.result import Result
from limner.workers.evaluation.baselines import majority
from limner.workers.evaluation.classes import Places
from limner.workers.evaluation.evaluate import of_classes
from limner.workers.evaluation.split import by_time, check_windows
from limner.workers.evaluation.weighted import Array

HORIZON, EVERY = 30, 15  # days


@dataclass(frozen=True)
class Question:
    """What is asked, and the features that are baselines on their own."""

    name: str
    question: str
    classes: tuple[str, str]
    first: date  # of the instants at which examples may be drawn
    baselines: tuple[tuple[str, str], ...]  # name, feature


CHURN = Question(
    "churn",
    "Will a household that bought in the last 90 days not buy in the next 30?",
    ("buys", "stays away"),
    date(2017, 4, 1),
    (("days since the last basket", "recency"), ("own frequency, half-life 30 days", "baskets_fading_30d")),
)
COUPONS = Question(
    "coupon response",
    "Will a household with a campaign open redeem a coupon within 30 days?",
    ("does not", "redeems"),
    date(2017, 4, 1),
    (("own frequency, half-life 60 days", "redemptions_fading_60d"), ("campaigns open", "campaigns_open")),
)


def run(journey: Journey, seed: int = 0, draws: int = 1000) -> list[Result]:
    """Churn and coupon response at the cut-off, each by gradient boosting beside a line beside baselines."""
    return [_answer(journey, question, seed, draws) for question in (CHURN, COUPONS)]


def _answer(journey: Journey, question: Question, seed: int, draws: int) -> Result:
    started = perf_counter()
    days, day = [CUT_OFF], before(CUT_OFF, HORIZON)
    while day >= question.first:
        days, day = [*days, day], before(day, EVERY)
    build = of_churn if question is CHURN else of_coupons
    examples = together([build(journey, each) for each in days])
    horizon = HORIZON * 86_400_000_000
    split = by_time(examples.instants, micros(CUT_OFF), horizon)
    check_windows(examples.instants[split.train], examples.instants[split.test], horizon)
    learned, truth = (examples.features[split.train], examples.labels[split.train]), examples.labels[split.test]
    asked = examples.features[split.test]
    contenders = {"gradient boosting and a line, averaged": _model(*learned, asked, seed)}
    for name, feature in question.baselines:
        place = examples.names.index(feature)
        contenders[name] = _line(learned[0][:, [place]], learned[1], asked[:, [place]])
    contenders["majority"] = majority(learned[1], 2, len(asked))
    evaluation = of_classes(
        truth, question.classes, contenders, examples.households[split.test], draws=draws, seed=seed
    )
    facts = {
        "cut-off": f"{CUT_OFF}T00:00, the data's clock",
        "label window": f"{HORIZON} days from each instant",
        "learned from": f"{split.train.sum():,} examples, {_share(learned[1])} positive, at {len(days) - 1} "
        f"instants from {days[-1]} to {days[1]}",
        "measured": f"{len(truth):,} households at {CUT_OFF}, {_share(truth)} positive",
        "seed": str(seed),
    }
    return Result(
        question.name,
        question.question,
        evaluation,
        facts,
        fingerprint=journey.fingerprint,
        seconds=perf_counter() - started,
    )


def _share(labels: Places) -> str:
    """The share of positives, for people."""
    return f"{labels.mean():.1%}"


def _model(learned: Array, labels: Places, asked: Array, seed: int) -> Array:
    """The mean of both models' probabilities: trees find bends, a line does not chase noise."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    trees = HistGradientBoostingClassifier(
        max_iter=120,
        learning_rate=0.05,
        max_leaf_nodes=8,
        min_samples_leaf=60,
        l2_regularization=5.0,
        early_stopping=False,
        random_state=seed,
    )
    found = np.asarray(trees.fit(learned, labels).predict_proba(asked), dtype=np.float64)
    return (found + _line(learned, labels, asked)) / 2


def _line(learned: Array, labels: Places, asked: Array) -> Array:
    """Logistic regression on features as they are and their logarithms, missing ones as their median."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    both = [np.hstack([each, np.log1p(np.maximum(each, 0))]) for each in (learned, asked)]
    line = make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return np.asarray(line.fit(both[0], labels).predict_proba(both[1]), dtype=np.float64)
