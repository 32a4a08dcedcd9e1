"""Vectors of terms, learned from which terms stand near each other in texts; a text is the mean of its terms' vectors.

Skip-gram with negative sampling (T. Mikolov and others: Distributed Representations of Words and Phrases, 2013), on one
thread: the same texts and seed give the same bytes on one kind of processor. Weights in a text are those of S. Arora
and others (A Simple but Tough-to-Beat Baseline for Sentence Embeddings, 2017): a frequent term says little.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.language.errors import LimnerError
from limner.language.term_encoders import Word2Vec
from limner.workers.alone import alone

Float32s = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
MOST = 1_000_000
"""At most so many terms of texts are learned from: of more, the texts whose SHA-256 is least."""
TERMS = 30_000  # there are vectors for, at most: the most frequent ones
NEGATIVES, POWER = 5, 0.75  # terms drawn by chance for each that is there, by frequency to this power
OFTEN = 1e-3  # a term of a greater share of all (and twice what all have alike) is passed over now and then
RARE = 1e-3  # a term of this share weighs half of what a rare one does
BATCH, STEPS, RATE = 2048, 200, 0.01  # pairs at a time: fewer where an epoch had less than so many steps


@dataclass(frozen=True)
class Words:
    """`terms` in the order of their places; their `vectors` float32 [terms, features], `weights` float32 [terms]."""

    terms: tuple[str, ...]
    vectors: Float32s
    weights: Float32s

    @cached_property
    def places(self) -> dict[str, int]:
        """Term to place."""
        return {term: place for place, term in enumerate(self.terms)}

    def of(self, terms: Iterable[str], *, normalize: bool) -> Float32s:
        """The vector of a text of these terms, [features]: of those known; zeros where none is."""
        known = [self.places[term] for term in terms if term in self.places]
        if not known:
            return np.zeros(self.vectors.shape[1], np.float32)
        weights = self.weights[known].astype(np.float64)
        total = (self.vectors[known].astype(np.float64) * weights[:, None]).sum(axis=0)
        length = np.sqrt((total * total).sum()) if normalize else weights.sum()
        found: Float32s = (total / length if length else total).astype(np.float32)
        return found

    def content(self) -> bytes:
        """As a file: safetensors, which executes nothing."""
        from safetensors.numpy import save

        arrays = {"vectors": self.vectors, "weights": self.weights}
        return save(arrays, metadata={"terms": json.dumps(self.terms, ensure_ascii=False)})


def read_words(path: Path) -> Words:
    """What `Words.content` was written as. LimnerError where it cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            terms = tuple(json.loads(file.metadata()["terms"]))
            return Words(terms, file.get_tensor("vectors"), file.get_tensor("weights"))
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise LimnerError(f"cannot read what an encoder learned, {path}: {error}") from error


def learn(asked: Word2Vec, texts: Iterable[Sequence[str]]) -> Words:
    """Learn of texts, each as its terms; which texts there are decides, not in which order. No terms where there are
    fewer than two that stand in `min_df` texts.
    """
    chosen = _chosen(texts)
    counts, documents = Counter[str](), Counter[str]()
    for terms in chosen:
        counts.update(terms)
        documents.update(set(terms))
    often = sorted((term for term in counts if documents[term] >= asked.min_df), key=lambda term: (-counts[term], term))
    known = sorted(often[:TERMS])
    if len(known) < 2:
        return Words((), np.zeros((0, asked.features), np.float32), np.zeros(0, np.float32))
    place = {term: number for number, term in enumerate(known)}
    rows = [[place[term] for term in terms if term in place] for terms in chosen]
    tokens = np.array([each for row in rows for each in row], np.int64)
    text = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    share = np.bincount(tokens, minlength=len(known)) / len(tokens)
    vectors = _vectors(asked, tokens, text, share)
    return Words(tuple(known), vectors, (RARE / (RARE + share)).astype(np.float32))


def _chosen(texts: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    ranked = sorted((hashlib.sha256("\x1f".join(terms).encode()).digest(), tuple(terms)) for terms in texts)
    found: list[Sequence[str]] = []
    total = 0
    for _, terms in ranked:
        total += len(terms)
        if total > MOST:
            break
        found.append(terms)
    return found


def _vectors(asked: Word2Vec, tokens: Ints, text: Ints, share: npt.NDArray[np.float64]) -> Float32s:
    """Vectors [terms, features] of the terms of texts, one after the other, and of which text each is."""
    import torch

    random = np.random.default_rng(asked.seed)
    terms = len(share)
    by_chance = np.cumsum(share**POWER)
    kept_at = np.minimum(1.0, np.sqrt(max(OFTEN, 2 / terms) / np.maximum(share, 1e-12)))
    nn: Any = torch.nn
    with alone(asked.seed):
        start = (random.random((terms, asked.features)) - 0.5) / asked.features
        first = torch.from_numpy(start.astype(np.float32))
        center = nn.Embedding.from_pretrained(first, freeze=False, sparse=True)
        near = nn.Embedding.from_pretrained(torch.zeros(terms, asked.features), freeze=False, sparse=True)
        optimizer: Any = torch.optim.SparseAdam([*center.parameters(), *near.parameters()], lr=RATE)
        for _ in range(asked.epochs):
            kept = random.random(len(tokens)) < kept_at[tokens]
            pairs = _pairs(tokens[kept], text[kept], asked.window, random)
            size = max(16, min(BATCH, len(pairs) // STEPS))
            for begin in range(0, len(pairs), size):
                batch = pairs[begin : begin + size]
                drawn = np.searchsorted(by_chance, random.random((len(batch), NEGATIVES)) * by_chance[-1])
                others = torch.from_numpy(np.column_stack([batch[:, 1], np.minimum(drawn, terms - 1)]))
                scores = (near(others) * center(torch.from_numpy(batch[:, 0]))[:, None, :]).sum(dim=2)
                scores = torch.cat([scores[:, :1], -scores[:, 1:]], dim=1)
                optimizer.zero_grad()
                nn.functional.softplus(-scores).sum(dim=1).mean().backward()
                optimizer.step()
        found: Float32s = center.weight.detach().numpy().copy()
    return found


def _pairs(tokens: Ints, text: Ints, window: int, random: np.random.Generator) -> Ints:
    """[pairs, 2] terms near each other in one text, in an order of chance: neighbours always, others less often."""
    parts = []
    for ahead in range(1, window + 1):
        same = np.flatnonzero(text[:-ahead] == text[ahead:])
        same = same[random.random(len(same)) < (window + 1 - ahead) / window]
        pair = np.column_stack([tokens[same], tokens[same + ahead]])
        parts += [pair, pair[:, ::-1]]
    found = np.concatenate(parts)
    return np.ascontiguousarray(found[random.permutation(len(found))])
