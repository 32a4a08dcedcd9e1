"""Which texts a step learns from, and at which rate: pure functions of the seed and the step."""

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
WARM = 0.1
"""The part of the steps in which the rate rises from 0; then it falls to 0 (J. Devlin and others, 2019)."""


def steps_of(texts: int, batch: int) -> int:
    """Steps of an epoch."""
    return max(1, -(-texts // batch))


def batch_of(texts: int, batch: int, seed: int, step: int) -> Integers:
    """The places of the texts of a step: each epoch has its own order, and steps of nearly equal size."""
    steps = steps_of(texts, batch)
    epoch, place = divmod(step, steps)
    order = np.random.default_rng([seed, epoch]).permutation(texts)
    return np.asarray(np.array_split(order, steps)[place], np.int64)


def rate_at(step: int, steps: int, most: float) -> float:
    """The learning rate of a step, of `steps` in all."""
    warm = max(1, round(WARM * steps))
    return float(most * min((step + 1) / warm, (steps - step) / max(1, steps - warm)))


def chance_of(seed: int, step: int, part: int) -> int:
    """The seed of what is left to chance in a part of a step's batch, whoever computes it."""
    return int(np.random.SeedSequence([seed, step, part]).generate_state(1, np.uint64)[0] >> 1)
