"""Whether someone of 55 or more speaks for a household, from what it bought before the cut-off.

What households told has no time, so nothing is split by it: each of ten parts of the households (by a digest) is asked
of models that learned from the other nine. How much the models are held back is chosen within the nine, too.
"""

from dataclasses import dataclass
from datetime import datetime, time
from time import perf_counter
from typing import Any

import numpy as np

from limner.benchmarks.proof.journey import CUT_OFF, Journey
from limner.benchmarks.proof.result import Result
from limner.workers.evaluation.baselines import majority
from limner.workers.evaluation.classes import Places
from limner.workers.evaluation.evaluate import of_classes
from limner.workers.evaluation.metrics import roc_auc
from limner.workers.evaluation.ranking import Ids
from limner.workers.evaluation.split import part
from limner.workers.evaluation.weighted import Array, value

PARTS = 10
OTHERS = 3  # other seeds of parts and models: the floor is near, and one seed may be lucky
OLD = ("55-64", "65+")
FLOOR = 0.85

_COUNTS = """
SELECT h, {key} AS key, count(DISTINCT b) AS n FROM lines JOIN demographics ON h = household_id
WHERE t < $q AND {key} IS NOT NULL GROUP BY ALL ORDER BY ALL
"""
_SPEND = """
SELECT household_id AS h, coalesce(sum(v), 0) AS spend, count(b) AS baskets, coalesce(avg(categories), 0) AS categories,
    coalesce(avg(hour(t)), 0) AS hour, coalesce(avg((isodow(t) >= 6)::INTEGER), 0) AS weekend
FROM demographics LEFT JOIN baskets ON h = household_id AND t < $q GROUP BY household_id ORDER BY household_id
"""


@dataclass(frozen=True)
class Households:
    """Those whose age is known, with baskets that hold each category and each product type: (households, kinds)."""

    households: Ids
    labels: Places
    categories: Array
    types: Array
    habits: Array  # spend, baskets, categories a basket, hour, share of weekends


def run(journey: Journey, seed: int = 0, draws: int = 1000) -> list[Result]:
    """The models beside how much and when a household buys, and the majority."""
    started = perf_counter()
    found = _read(journey)
    asked = _said(found, seed)
    others = {other: next(iter(_said(found, other).values()))[:, 1] for other in range(seed + 1, seed + 1 + OTHERS)}
    areas = {other: value(roc_auc(found.labels, each), len(each)) for other, each in others.items()}
    rows = len(found.labels)
    asked["majority"] = majority(found.labels, 2, rows)  # one share for all: those of the parts would tell them apart
    evaluation = of_classes(found.labels, ("under 55", "55 or more"), asked, found.households, draws=draws, seed=seed)
    facts = {
        "data": f"purchases before {CUT_OFF} of {rows} households whose age class is known, "
        f"{found.labels.mean():.1%} of them {' or '.join(OLD)}",
        "features": f"baskets with each of {found.categories.shape[1]} categories and "
        f"{found.types.shape[1]:,} product types",
        "split": f"{PARTS} parts of the households by a digest, each measured by models of the others; no times",
        "seed": str(seed),
        "ROC-AUC with other parts": ", ".join(f"{area:.3f} (seed {other})" for other, area in areas.items()),
    }
    question = "Is the age that a household told 55 or more?"
    return [
        Result(
            "age 55 or more", question, evaluation, facts, FLOOR, journey.fingerprint, seconds=perf_counter() - started
        )
    ]


def _said(found: Households, seed: int) -> dict[str, Array]:
    """Probabilities of all households, by contender, each of models that learned from other parts."""
    parts = part(found.households.tolist(), PARTS, seed)
    said = {
        "two lines over what it bought": np.zeros((len(parts), 2)),
        "how much and when it buys": np.zeros((len(parts), 2)),
    }
    for one in range(PARTS):
        train, test = parts != one, parts == one
        for name, probabilities in zip(said, _asked(found, train, test, seed), strict=True):
            said[name][test] = probabilities
    return said


def _read(journey: Journey) -> Households:
    instant = {"q": datetime.combine(CUT_OFF, time())}
    told = journey.columns("SELECT household_id AS h, age FROM demographics ORDER BY h")
    households = told["h"].astype(np.int64)
    habits = journey.columns(_SPEND, instant)
    habits.pop("h")
    return Households(
        households,
        np.isin(told["age"].astype(str), OLD).astype(np.intp),
        _counts(journey, "category", households, instant),
        _counts(journey, "product_type", households, instant),
        np.stack([np.asarray(each, dtype=np.float64) for each in habits.values()], axis=1),
    )


def _counts(journey: Journey, key: str, households: Ids, instant: dict[str, Any]) -> Array:
    found = journey.columns(_COUNTS.format(key=key), instant)
    names, codes = np.unique(found["key"].astype(str), return_inverse=True)
    counts = np.zeros((len(households), len(names)))
    counts[np.searchsorted(households, found["h"]), codes] = found["n"]
    return counts


def _asked(found: Households, train: Any, test: Any, seed: int) -> list[Array]:
    """Probabilities of the tested households, by each contender."""
    from sklearn.feature_extraction.text import TfidfTransformer
    from sklearn.preprocessing import StandardScaler

    labels = found.labels[train]
    logs = np.log1p(found.categories)
    by_category = _line(StandardScaler(), logs, labels, train, test, seed)
    by_type = _line(TfidfTransformer(sublinear_tf=True), found.types, labels, train, test, seed)
    both = np.exp((np.log(by_category) + np.log(by_type)) / 2)
    habits = _line(StandardScaler(), np.log1p(found.habits), labels, train, test, seed)
    return [both / both.sum(axis=1, keepdims=True), habits]


def _line(scale: Any, features: Array, labels: Places, train: Any, test: Any, seed: int) -> Array:
    """Logistic regression; its regularization by the ROC-AUC of five folds of what is learned from."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import Pipeline

    line = Pipeline([("scale", scale), ("line", LogisticRegression(max_iter=300))])
    strengths = np.geomspace(1e-4, 30, 8)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    search = GridSearchCV(line, {"line__C": strengths}, scoring="roc_auc", cv=folds)
    return np.asarray(search.fit(features[train], labels).predict_proba(features[test]), dtype=np.float64)
