"""Vectors of texts, the plainest way: a hash for a model, scikit-learn on one text, and what a fit learns by hand."""

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer

from limner.language.models import Encoder, Source
from limner.language.term_encoders import Tfidf
from tests.oracle.cleaning import Table, clean
from tests.oracle.oracle import render

DIM = 4


def vector_of(text: str) -> list[float]:
    """A model's vector of a text: DIM numbers in (-0.5, 0.5] that float32 holds exactly."""
    return [byte / 256 - 0.5 for byte in hashlib.sha256(text.encode()).digest()[:DIM]]


class Encoders:
    """The encoders of a case; called with an encoder's name and a text, prefix included."""

    def __init__(
        self, encoders: Mapping[str, Encoder], sources: Mapping[str, Source], tables: Mapping[str, Table]
    ) -> None:
        self.encoders, self.sources, self.tables = encoders, sources, tables
        self.idf: dict[str, dict[str, float]] = {}
        self.made: dict[tuple[str, str], list[float]] = {}

    def __call__(self, name: str, text: str) -> list[float]:
        """The vector."""
        if (name, text) not in self.made:
            self.made[name, text] = self._vector(self.encoders[name], text)
        return self.made[name, text]

    def _vector(self, encoder: Encoder, text: str) -> list[float]:
        terms = encoder.terms
        if terms is None:
            return vector_of(text)
        options: dict[str, Any] = {
            "ngram_range": terms.ngrams, "analyzer": terms.analyzer, "lowercase": terms.lowercase,
        }  # fmt: skip
        if not isinstance(terms, Tfidf):
            norm = "l2" if encoder.normalize else None
            hashed = HashingVectorizer(n_features=terms.features, norm=norm, **options)
            return [float(x) for x in hashed.transform([text]).toarray()[0]]
        idf = self.learned(encoder.encoder, terms)
        counts = Counter(CountVectorizer(**options).build_analyzer()(text))
        vector = [counts[term] * weight for term, weight in idf.items()]
        length = math.sqrt(sum(x * x for x in vector)) if encoder.normalize else 1.0
        return [x / length if length else 0.0 for x in vector] + [0.0] * (terms.features - len(vector))

    def learned(self, name: str, tfidf: Tfidf) -> dict[str, float]:
        """The most frequent terms of the distinct texts known at the fit, and their weights, by term."""
        if name not in self.idf:
            events = clean(self.tables, self.sources, tfidf.source, [], set(tfidf.text.columns)).events
            texts = {render(tfidf.text.parts, event.row) for event in events if event.known <= tfidf.fit} - {""}
            analyze = CountVectorizer(
                ngram_range=tfidf.ngrams, analyzer=tfidf.analyzer, lowercase=tfidf.lowercase
            ).build_analyzer()
            found = [analyze(text) for text in texts]
            total = Counter(term for terms in found for term in terms)
            documents = Counter(term for terms in found for term in set(terms))
            ranked = sorted(total, key=lambda term: (-total[term], term))
            chosen = [term for term in ranked if documents[term] >= tfidf.min_df][: tfidf.features]
            count = len(texts)
            self.idf[name] = {term: math.log((1 + count) / (1 + documents[term])) + 1 for term in sorted(chosen)}
        return self.idf[name]
