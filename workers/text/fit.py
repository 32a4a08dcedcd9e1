"""What an encoder learns of a source, once: its most frequent terms and how rare they are, or vectors of terms."""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limner.language.errors import LimnerError
from limner.language.term_encoders import Learning, Terms, Tfidf, Word2Vec
from limner.workers.history.files import replace
from limner.workers.locking import exclusive
from limner.workers.sources.prepare import PrepareRequest, prepare
from limner.workers.text import skipgram

TEXT = "__text"
_ROWS = 4096


@dataclass(frozen=True)
class Fitting:
    """One fit to make: from which rows, of what, and into which file. It travels to a worker process."""

    encoder: str
    learns: Learning
    request: PrepareRequest  # stages the column of digests TEXT
    target: Path
    vectors: Path  # folder of the vectors made with it


def fit(fitting: Fitting) -> None:
    """Learn, unless it has been done: what was learned once is never made anew.

    Raises LimnerError where there is nothing to learn from, or where a fit was lost that vectors were made with.
    """
    with exclusive(fitting.target.with_suffix(".lock")):
        if fitting.target.exists():
            return
        if any(fitting.vectors.glob("part-*")):
            raise LimnerError(
                f"encoder {fitting.encoder!r}: {fitting.target} is gone, and vectors were made with what it held: "
                "restore it, or give the encoder another instant as fit, which makes it another encoder"
            )
        texts = prepare(fitting.request).texts[TEXT]
        content = _content(fitting, list(_texts(texts)))
        replace(fitting.target, content)


def _content(fitting: Fitting, texts: list[str]) -> bytes:
    learns = fitting.learns
    if isinstance(learns, Word2Vec):
        analyze = analyzer(learns)
        words = skipgram.learn(learns, map(analyze, texts))
        content = words.content() if words.terms else b""
    else:
        learned = learn(learns, iter(texts))
        data = {"encoder": fitting.encoder, "texts": learned.texts, "idf": learned.idf}
        content = json.dumps(data, ensure_ascii=False, indent=0).encode() if learned.idf else b""
    if not content:
        raise LimnerError(
            f"encoder {fitting.encoder!r}: nothing to learn from {len(texts)} texts of source "
            f"{learns.source!r} known at its fit: choose a later instant, or a smaller min_df"
        )
    return content


@dataclass(frozen=True)
class Learned:
    """`idf`: terms in the order of their places in a vector (by code points) to their weights."""

    texts: int
    idf: dict[str, float] = field(default_factory=dict)


def learn(tfidf: Tfidf, texts: Iterator[str]) -> Learned:
    """The most frequent terms (of equally frequent ones the first by code points) and ln((1 + n) / (1 + df)) + 1.

    The formula is scikit-learn's smooth idf. Which texts there are decides, not in which order.
    """
    analyze = analyzer(tfidf)
    count = 0
    frequency: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    for text in texts:
        terms = Counter(analyze(text))
        frequency.update(terms)
        documents.update(terms.keys())
        count += 1
    often = [term for term, number in documents.items() if number >= tfidf.min_df]
    chosen = sorted(often, key=lambda term: (-frequency[term], term))[: tfidf.features]
    return Learned(count, {term: math.log((1 + count) / (1 + documents[term])) + 1 for term in sorted(chosen)})


def analyzer(terms: Terms | Word2Vec) -> Any:
    """The function from a text to its terms."""
    from sklearn.feature_extraction.text import CountVectorizer

    return CountVectorizer(**options_of(terms)).build_analyzer()


def options_of(terms: Terms | Word2Vec) -> dict[str, Any]:
    """What a term is, as scikit-learn's vectorizers take it."""
    return {"ngram_range": terms.ngrams, "analyzer": terms.analyzer, "lowercase": terms.lowercase}


def read_fit(path: Path) -> dict[str, float]:
    """Terms to weights, in the order of their places; LimnerError if it cannot be read."""
    try:
        idf: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))["idf"]
    except (OSError, ValueError, KeyError) as error:
        raise LimnerError(f"cannot read what an encoder learned, {path}: {error}") from error
    return idf


def _texts(path: Path) -> Iterator[str]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS, columns=["text"]):
            yield from batch.column("text").to_pylist()
