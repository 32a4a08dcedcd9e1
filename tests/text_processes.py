"""What other processes do in the tests of the embedding cache; a spawned process must be able to import it."""

import os
import time
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import numpy as np
from fakes import DIM, FakeEncode, FakeModel, digests_of, vector_of

from limner.workers.tasks import InProcess
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.ensure import ensure

MODEL = FakeModel()


def vectors_of(texts: list[str]) -> np.ndarray:
    """Return float32 [n, DIM]."""
    return np.array([vector_of(text) for text in texts], np.float32).reshape(len(texts), DIM)


def put(cache: EmbeddingCache, texts: list[str]) -> Path:
    path = cache.put(digests_of(texts), vectors_of(texts))
    assert path is not None
    return path


def write_for_ever(folder: Path) -> None:
    cache = EmbeddingCache(folder, MODEL)
    number = 0
    while True:
        put(cache, [f"{os.getpid()} {number} {row}" for row in range(3000)])
        number += 1


def hold(folder: Path, held: Event) -> None:
    with EmbeddingCache(folder, MODEL).lock():
        held.set()
        time.sleep(600)


def ensure_at_once(folder: Path, start: Barrier) -> None:
    cache = EmbeddingCache(folder / "cache", MODEL)
    start.wait(60)
    ensure([folder / "1.parquet"], cache, FakeEncode(folder / "log"), InProcess())
    assert len(cache) == 3000
