"""Random numbers that depend on the seed, a block of shoppers and a purpose, and on nothing that ran before."""

from enum import IntEnum

import numpy as np

BLOCK = 512  # shoppers drawn together; part of the seed: another number is another simulation


class Purpose(IntEnum):
    """What numbers are drawn for: more draws for one purpose leave the others as they were."""

    CATALOG = 0
    PEOPLE = 1
    LIVES = 2
    OFFERS = 3
    VISITS = 4
    REVIEWS = 5
    ARRIVALS = 6
    REVIEW_TEXTS = 7
    QUERIES = 8


def stream(seed: int, purpose: Purpose, block: int = 0) -> np.random.Generator:
    """Return a generator of its own for a purpose in a block of shoppers."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(block, int(purpose)))))


def choose(rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """For each row of `weights` (not negative, some positive) a column, drawn in proportion to them."""
    sums = np.cumsum(weights, axis=1)
    drawn = rng.random(len(weights)) * sums[:, -1]
    return np.asarray(np.minimum((sums <= drawn[:, None]).sum(axis=1), weights.shape[1] - 1))


def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x)."""
    return np.asarray(1 / (1 + np.exp(-x)))
