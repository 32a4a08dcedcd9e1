"""Encoders that count terms, in this process: scikit-learn's vectorizers behind the protocol that Triton is behind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.language.fingerprint import terms_identity
from limner.language.repo import Specs
from limner.language.term_encoders import Hashing, Learning, Word2Vec
from limner.workers.text.fit import analyzer, options_of, read_fit
from limner.workers.text.skipgram import Words, read_words


@dataclass(frozen=True)
class TermsModel:
    """An encoder that counts terms: `dim` numbers a vector, `fingerprint` (hex sha256) the identity of its vectors.

    `fitted` is the file of what was learned, where something is. It is made once, by the first run that needs it.
    """

    name: str
    terms: Hashing | Learning
    normalize: bool
    dim: int
    fingerprint: str
    fitted: Path | None = None
    prefix: str = ""

    @property
    def fit(self) -> int | None:
        """The instant (µs) as of which it learned, and from which it has vectors; None: it learns nothing."""
        return self.terms.fit if isinstance(self.terms, Learning) else None


def terms_model(specs: Specs, name: str, data: Path) -> TermsModel:
    """An encoder that counts terms, as the specs have it; reads no data."""
    encoder = specs.encoders[name]
    terms = encoder.terms
    assert terms is not None
    fingerprint = terms_identity(specs, encoder)
    form = "safetensors" if isinstance(terms, Word2Vec) else "json"
    fitted = data / "encoders" / f"{fingerprint}.{form}" if isinstance(terms, Learning) else None
    return TermsModel(name, terms, encoder.normalize, terms.features, fingerprint, fitted)


@dataclass(frozen=True)
class Counted:
    """Vectors float32 [n, dim]; no text fails."""

    vectors: npt.NDArray[np.float32]
    failures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TermsEncode:
    """Encodes by counting. A vector depends on its own text alone, to the last bit."""

    model: TermsModel

    def check(self) -> None:
        """Read what was learned; raises LimnerError if that cannot be done."""
        _words(self.model) if isinstance(self.model.terms, Word2Vec) else _vectorizer(self.model)

    def __call__(self, texts: Sequence[str]) -> Counted:
        """Encode texts, in this order; a text without any term is a vector of zeros."""
        if isinstance(self.model.terms, Word2Vec):
            words, analyze = _words(self.model), analyzer(self.model.terms)
            found = [words.of(analyze(text), normalize=self.model.normalize) for text in texts]
            return Counted(np.array(found, np.float32).reshape(len(texts), self.model.dim))
        counts = _vectorizer(self.model).transform(texts).astype(np.float32)
        vectors = np.zeros((len(texts), self.model.dim), np.float32)
        vectors[:, : counts.shape[1]] = counts.toarray()
        return Counted(vectors)


@lru_cache(maxsize=4)
def _words(model: TermsModel) -> Words:
    assert model.fitted is not None
    return read_words(model.fitted)


@lru_cache(maxsize=4)
def _vectorizer(model: TermsModel) -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer

    options: dict[str, Any] = {**options_of(model.terms), "norm": "l2" if model.normalize else None}
    if isinstance(model.terms, Hashing):
        return HashingVectorizer(n_features=model.dim, **options)
    assert model.fitted is not None
    learned = read_fit(model.fitted)
    vectorizer = TfidfVectorizer(vocabulary=list(learned), **options)
    vectorizer.idf_ = np.array(list(learned.values()))
    return vectorizer
