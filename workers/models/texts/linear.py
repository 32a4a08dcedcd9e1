"""Learners whose score is a weighted sum: of an encoder's vector, or of a text's terms."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from limner.language.learning.classifier import Classifier
from limner.language.term_encoders import Terms
from limner.workers.derive.values import Array
from limner.workers.models.texts.learned import Counted, Head, floats
from limner.workers.models.texts.measures import log_loss
from limner.workers.models.texts.scores import probabilities

STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
"""scikit-learn's C, from stiff to loose: one goes on while later texts get better."""
USUAL = 1.0  # where there are no later texts to tell
TERMS = 30_000
"""At most so many terms, the most frequent ones; of equally frequent ones the first by code points."""
DEFAULT_TERMS = Terms(analyzer="char_wb", ngrams=(1, 4))


def head(
    classes: tuple[str, ...], kind: Classifier, early: tuple[Array, Array], late: tuple[Array, Array] | None
) -> Head:
    """Multinomial logistic regression on vectors; `early` and `late` are vectors [texts, dim] and labels.

    One width for all numbers: vectors keep their shape, whatever their encoder's scale.
    """
    rows = early[0].astype(np.float64)
    center = rows.mean(axis=0)
    width = float(np.sqrt(((rows - center) ** 2).mean())) or 1.0
    later = None if late is None else ((late[0].astype(np.float64) - center) / width, late[1])
    weights, intercept = _path(len(classes), (rows - center) / width, early[1], kind, later)
    return Head(
        classes=classes,
        center=floats(center),
        weights=tuple(floats(each / width) for each in weights),
        intercept=floats(intercept),
    )


def counted(
    classes: tuple[str, ...], kind: Classifier, early: tuple[Sequence[str], Array],
    late: tuple[Sequence[str], Array] | None,
) -> Counted:  # fmt: skip
    """Multinomial logistic regression on tf-idf of terms that two texts have at least."""
    from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

    asked = kind.terms or DEFAULT_TERMS
    options: dict[str, Any] = {"analyzer": asked.analyzer, "ngram_range": asked.ngrams, "lowercase": asked.lowercase}
    terms, counts = _terms(CountVectorizer(**options), early[0])
    weigh = TfidfTransformer(sublinear_tf=True).fit(counts)
    later = None
    if late is not None:
        later = weigh.transform(CountVectorizer(vocabulary=terms, **options).transform(late[0])), late[1]
    weights, intercept = _path(len(classes), weigh.transform(counts), early[1], kind, later)
    return Counted(
        classes=classes,
        analyzer=asked.analyzer,
        ngrams=asked.ngrams,
        lowercase=asked.lowercase,
        terms=tuple(terms),
        idf=floats(weigh.idf_),
        weights=tuple(floats(each) for each in weights),
        intercept=floats(intercept),
    )


def _terms(vectorizer: Any, texts: Iterable[str]) -> tuple[list[str], Any]:
    """The most frequent terms, sorted, those of two texts at least where there are any; and their counts."""
    counts = vectorizer.fit_transform(texts)
    names = vectorizer.get_feature_names_out()
    frequency = np.asarray(counts.sum(axis=0)).ravel()
    documents = np.asarray((counts > 0).sum(axis=0)).ravel()
    often = np.flatnonzero(documents >= min(2, documents.max(initial=0)))
    chosen = sorted(often.tolist(), key=lambda each: (-frequency[each], names[each]))[:TERMS]
    chosen.sort(key=lambda each: names[each])
    return [str(names[each]) for each in chosen], counts[:, chosen].sorted_indices()


def _path(
    classes: int, rows: Any, label: Array, kind: Classifier, late: tuple[Any, Array] | None
) -> tuple[Array, Array]:
    """Weights [classes, inputs] and intercepts: from stiff to loose, until later texts get worse."""
    from sklearn.linear_model import LogisticRegression

    balanced = "balanced" if kind.weights == "balanced" else None
    model = LogisticRegression(class_weight=balanced, max_iter=1000, warm_start=True)  # goes on from the one before
    if late is None:
        return _fit(classes, rows, label, model.set_params(C=USUAL))
    best, least = None, np.inf
    for strength in STRENGTHS:
        weights, intercept = _fit(classes, rows, label, model.set_params(C=strength))
        loss = log_loss(probabilities(np.asarray(late[0] @ weights.T) + intercept, 1.0), late[1])
        if best is not None and loss >= least:
            break
        best, least = (weights, intercept), loss
    assert best is not None
    return best


def _fit(classes: int, rows: Any, label: Array, model: Any) -> tuple[Array, Array]:
    model.fit(rows, label)
    # A class that no text is of is as unlikely as can be told; two classes share one line of weights.
    weights, intercept = np.zeros((classes, rows.shape[1])), np.full(classes, NEVER)
    if len(model.classes_) == 2:
        half, middle = model.coef_[0] / 2, model.intercept_[0] / 2
        found = np.stack([-half, half]), np.array([-middle, middle])
    else:
        found = model.coef_, model.intercept_
    weights[model.classes_], intercept[model.classes_] = found
    return weights, intercept


NEVER = -30.0  # a score: a probability of about 1e-13


def temperature(scores: Array, label: Array) -> float:
    """By what scores are divided so that later texts' classes are most likely (C. Guo and others, 2017)."""
    from scipy.optimize import minimize_scalar

    def loss(exponent: float) -> float:
        return log_loss(probabilities(scores, float(2.0**exponent)), label)

    found = minimize_scalar(loss, bounds=(-5.0, 5.0), method="bounded", options={"xatol": 1e-4})
    return float(2.0**found.x)
