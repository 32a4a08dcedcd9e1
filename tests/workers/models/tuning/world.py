"""Texts of two moods, in English and Chinese, and a tiny random BERT that knows their words and characters."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from limner.workers.models.tuning.job import Job, Labelled
from tests.integration.tiny_bert import write_tiny_bert

MOODS = (["beauty", "deli", "坏", "差"], ["fresh", "milk", "好", "棒"])
PLAIN = ["the", "a", "of", "for", "red", "green", "big", "我", "的"]


def encoder(folder: Path, width: float = 0.05) -> Path:
    """A tiny BERT whose weights are small, so that it can be learned on."""
    return write_tiny_bert(folder, more="".join(each for mood in MOODS for each in mood) + "我的", spread=width)


@lru_cache
def labelled(count: int, seed: int = 0) -> Labelled:
    """Texts that each have two words of their mood among plain ones."""
    random = np.random.default_rng(seed)
    label = tuple(int(each) for each in random.random(count) < 0.6)
    texts = tuple(
        " ".join(random.permutation([*random.choice(MOODS[mood], 2), *random.choice(PLAIN, random.integers(2, 7))]))
        for mood in label
    )
    return Labelled(texts, label)


def job(root: Path, how: str = "full", *, workers: int = 1, epochs: int = 4, folder: str = "a") -> Job:
    """A training that tells the moods apart."""
    if not (root / "encoder").exists():
        encoder(root / "encoder")
    return Job(
        name="mood",
        encoder=root / "encoder",
        files="files",
        pooling="mean",
        max_tokens=16,
        how=how,
        rank=8,
        rate=2e-3 if how == "full" else 1e-2,
        epochs=epochs,
        batch=16,
        weights=(1.0, 1.0),
        seed=0,
        early=labelled(240),
        late=labelled(80, 1),
        folder=root / folder,
        workers=workers,
        progress=root / f"{folder}.jsonl",
    )
