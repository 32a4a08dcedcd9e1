"""Vectors of texts by encoder, as windows ask for them: what is stored, and what versions of models say of it."""

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.models import AnyEncoder
from limner.workers.text.scorers import TextScorer, scored

# Vectors of distinct digests (sorted, binary(16)): float32 [n, dim], and which of them exist.
Found = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]
Vectors = Callable[[str, pa.Array], Found]


def vectors_of(encoders: Mapping[str, AnyEncoder], stored: Callable[[AnyEncoder, pa.Array], Found]) -> Vectors:
    """Of a version that takes an encoder's vectors, what it says of them; of all others what is `stored`."""

    def load(encoder: str, digests: pa.Array) -> Found:
        model = encoders[encoder]
        if not isinstance(model, TextScorer) or model.base is None:
            return stored(model, digests)
        vectors, found = stored(encoders[model.base], digests)
        return scored(model, vectors), found

    return load


def stored_vectors(embeddings: Path, encoders: Mapping[str, AnyEncoder]) -> Vectors:
    """Vectors from the store below the folder `embeddings`, as it is when an encoder is first asked for.

    A text without a vector failed to be encoded and stands in quarantine: its row does not count.
    """

    @cache
    def opened(model: AnyEncoder) -> EmbeddingCache:
        return EmbeddingCache(embeddings, model)

    return vectors_of(encoders, lambda model, digests: opened(model).find(digests))
