"""What a model of classes must beat to be worth having: the majority, and a line through n-grams of its texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limner.language.errors import LimnerError
from limner.workers.evaluation.classes import Places
from limner.workers.evaluation.weighted import Array


def majority(truth: Places, classes: int, rows: int) -> Array:
    """The shares of the classes learned from, whatever is asked: (rows, classes). It says the most frequent class.

    LimnerError without labels to learn from.
    """
    if not len(truth):
        raise LimnerError("a baseline learns from one label at least")
    shares = np.bincount(truth, minlength=classes) / len(truth)
    return np.tile(shares, (rows, 1))


@dataclass(frozen=True)
class TermsAndLine:
    """TF-IDF and logistic regression."""

    _pipeline: Any
    _classes: int

    @staticmethod
    def fit(texts: Sequence[str], truth: Places, classes: int, grams: tuple[int, int] = (1, 3)) -> "TermsAndLine":
        """Learn from texts: n-grams of characters, which suit any script, seen twice or more; all classes must occur.

        The solver starts from zeros and draws nothing: the same texts in the same order give the same model.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline

        if len(np.unique(truth)) != classes:
            raise LimnerError(
                f"{classes} classes are wanted, and the texts learned from are of {len(np.unique(truth))}"
            )
        terms = TfidfVectorizer(analyzer="char", ngram_range=grams, min_df=2, sublinear_tf=True, dtype=np.float32)
        pipeline = make_pipeline(terms, LogisticRegression(C=4.0, max_iter=1000))
        return TermsAndLine(pipeline.fit(list(texts), truth), classes)

    def probabilities(self, texts: Sequence[str]) -> Array:
        """(texts, classes)."""
        found = np.asarray(self._pipeline.predict_proba(list(texts)), dtype=np.float64)
        return np.asarray(found / found.sum(axis=1, keepdims=True))
