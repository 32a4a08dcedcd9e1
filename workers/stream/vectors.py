"""Vectors of texts as they come: those of the cache, and new ones that are written into it later."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.encode import Encode
from limner.workers.text.models import AnyEncoder
from limner.workers.text.vectors import Found, Vectors, vectors_of
from limner.workers.windows.pool import Float32s


@dataclass
class Made:
    """What a micro-batch adds: (digest, float32 bytes) by the fingerprint of the encoder; why texts have none."""

    vectors: dict[str, list[tuple[bytes, bytes]]] = field(default_factory=dict)
    failed: dict[str, int] = field(default_factory=dict)


class LiveVectors:
    """The vectors that a worker's views use, by encoder; views that share an encoder share its vectors."""

    def __init__(self, folder: Path, encode_with: Callable[[AnyEncoder], Encode]) -> None:
        """`folder` is that of the cache."""
        self._folder = folder
        self._encode_with = encode_with
        self._caches: dict[str, EmbeddingCache] = {}
        self._fresh: dict[str, dict[bytes, Float32s]] = {}

    def make(self, model: AnyEncoder, texts: Mapping[bytes, str], made: Made) -> None:
        """Encode the texts, by digest, that have no vector. LimnerError where that cannot be done."""
        cache, fresh = self._cache(model), self._fresh[model.fingerprint]
        texts = {digest: text for digest, text in texts.items() if digest not in fresh}
        if not _missing(cache, texts):
            return
        cache.refresh()  # somebody else may have encoded them
        missing = _missing(cache, texts)
        if not missing:
            return
        encoded = self._encode_with(model)([texts[digest] for digest in missing])
        into = made.vectors.setdefault(model.fingerprint, [])
        for place, digest in enumerate(missing):
            if place in encoded.failures:
                reason = encoded.failures[place]
                made.failed[reason] = made.failed.get(reason, 0) + 1
            else:
                vector = np.asarray(encoded.vectors[place], np.float32)
                fresh[digest] = vector
                into.append((digest, vector.astype("<f4").tobytes()))

    def take_up(self, encoder: str, vectors: Iterable[tuple[bytes, bytes]], made: Made | None) -> None:
        """Vectors that another worker has made: they count, and what this one `made` of the same texts does not."""
        found = {digest: np.frombuffer(vector, "<f4").astype(np.float32) for digest, vector in vectors}
        self._fresh.setdefault(encoder, {}).update(found)
        if made is not None and encoder in made.vectors:
            made.vectors[encoder] = [each for each in made.vectors[encoder] if each[0] not in found]

    def forget(self, made: Made) -> None:
        """A micro-batch has not happened."""
        for fingerprint, vectors in made.vectors.items():
            for digest, _ in vectors:
                self._fresh[fingerprint].pop(digest, None)

    def of(self, encoders: Mapping[str, AnyEncoder]) -> Vectors:
        """The vectors of one view's encoders, as its windows ask for them."""
        return vectors_of(encoders, self._load)

    def _load(self, model: AnyEncoder, digests: pa.Array) -> Found:
        cache, fresh = self._cache(model), self._fresh[model.fingerprint]
        matrix, found = cache.find(digests)
        if fresh:
            for place, digest in enumerate(digests.to_pylist()):
                if not found[place] and digest in fresh:
                    matrix[place], found[place] = fresh[digest], True
        return matrix, found

    def written(self) -> None:
        """What was new may be in the cache now: what is, goes from here."""
        for fingerprint, cache in self._caches.items():
            fresh = self._fresh[fingerprint]
            if fresh:
                cache.refresh()
                self._fresh[fingerprint] = {digest: fresh[digest] for digest in _missing(cache, fresh)}

    def _cache(self, model: AnyEncoder) -> EmbeddingCache:
        if model.fingerprint not in self._caches:
            self._caches[model.fingerprint] = EmbeddingCache(self._folder, model)
            self._fresh.setdefault(model.fingerprint, {})
        return self._caches[model.fingerprint]


def _missing(cache: EmbeddingCache, digests: Mapping[bytes, object]) -> list[bytes]:
    found: list[bytes] = cache.missing(pa.array(list(digests), pa.binary(16))).to_pylist()
    return found
