"""Interests: what texts have to do with tags, by an encoder's vectors.

Vectors of one encoder all point somewhat the same way, so the mean of the texts known is taken away first, and what is
left gets length 1. A tag's prototype is the mean of the vectors of its description and examples. How near a text is
to a prototype counts in standard deviations over the texts known: no tag wins because it is near to everything.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from limner.workers.derive.values import Array
from limner.workers.models.texts.learned import Head, floats
from limner.workers.models.texts.linear import temperature
from limner.workers.models.texts.measures import measured
from limner.workers.models.texts.scores import probabilities, products, unit

SUFFICE = 8
"""With so many examples of each tag, a small logistic head takes the place of prototypes."""
USUAL = 0.5
"""The temperature where examples are too few to find one: two deviations nearer to a tag weigh 50 times as much."""
FEWEST = 2  # examples of each tag that a temperature is found by
FOLDS = 4
STRENGTH = 1.0  # scikit-learn's C of a head


Learner = Callable[[int, Array, Array, Array], tuple[Array, Array]]
"""Weights [tags, dim] and intercepts, of the number of tags, the vectors and tags of what describes them, and the
vectors of the texts known."""


@dataclass(frozen=True)
class Tagged:
    """Vectors [n, dim] and the tags [n] they are of: descriptions first, then examples."""

    vectors: Array
    tag: Array
    example: Array  # bool [n]


def interests(tags: tuple[str, ...], tagged: Tagged, known: Array) -> tuple[Head, dict[str, float], list[str]]:
    """How texts weigh; `known` are vectors [texts, dim] of texts known by the cut-off. Metrics are of examples that
    were left out, in turns.
    """
    center = known.astype(np.float64).mean(axis=0)
    near, there = unit(tagged.vectors.astype(np.float64) - center), unit(known.astype(np.float64) - center)
    fewest = int(np.bincount(tagged.tag[tagged.example], minlength=len(tags)).min())
    learn: Learner = _logistic if fewest >= SUFFICE else _prototypes
    weights, intercept = learn(len(tags), near, tagged.tag, there)
    found = Head(
        classes=tags,
        center=floats(center),
        unit=True,
        weights=tuple(floats(each) for each in weights),
        intercept=floats(intercept),
        temperature=USUAL if learn is _prototypes else 1.0,
    )
    if fewest < FEWEST:
        return found, {}, [f"not measured: a tag has less than {FEWEST} examples, so the scale is the usual one"]
    scores, label = _left_out(len(tags), near, tagged, there, learn)
    found = found.model_copy(update={"temperature": temperature(scores, label)})
    metrics = measured(probabilities(scores, found.temperature), label, tags)
    what = "a head" if learn is _logistic else "prototypes"
    return found, metrics, [f"{what}: {fewest} examples of each tag at least"]


def _prototypes(tags: int, near: Array, tag: Array, there: Array) -> tuple[Array, Array]:
    """Weights [tags, dim] and intercepts of `(cosine - mean) / deviation`, both over the texts known."""
    centers = unit(np.stack([near[tag == each].mean(axis=0) for each in range(tags)]))
    cosines = products(there, centers)
    deviation = cosines.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return centers / deviation[:, None], -cosines.mean(axis=0) / deviation


def _logistic(tags: int, near: Array, tag: Array, _there: Array) -> tuple[Array, Array]:
    from sklearn.linear_model import LogisticRegression

    scale = np.sqrt(near.shape[1])  # vectors have length 1: their numbers are about 1 then
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", tol=1e-6, max_iter=1000).fit(near * scale, tag)
    if tags == 2:
        half, middle = model.coef_[0] * scale / 2, model.intercept_[0] / 2
        return np.stack([-half, half]), np.array([-middle, middle])
    return model.coef_ * scale, model.intercept_


def _left_out(tags: int, near: Array, tagged: Tagged, there: Array, learn: Learner) -> tuple[Array, Array]:
    """Scores [examples, tags] of examples by what was learned without them, and their tags."""
    fold = np.full(len(near), -1)
    for each in range(tags):
        mine = np.flatnonzero(tagged.example & (tagged.tag == each))
        fold[mine] = np.arange(len(mine)) % FOLDS
    scores = np.zeros((len(near), tags))
    for each in range(FOLDS):
        out = fold == each
        if out.any():
            weights, intercept = learn(tags, near[~out], tagged.tag[~out], there)
            scores[out] = products(near[out], weights) + intercept
    return scores[tagged.example], tagged.tag[tagged.example]
