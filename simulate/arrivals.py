"""When events are written down: most at once, some late, a few twice."""

import numpy as np

from limner.simulate.options import DAY, Options
from limner.simulate.streams import Purpose, stream

SECOND = 1_000_000
LATE = 0.03  # share that arrives an hour and more after it happened
LATE_MEAN = DAY  # mean of what comes on top of the hour
PROMPT_MEAN = 20 * SECOND
TWICE = 0.005  # share of which a second copy arrives, with the same id
AGAIN_MEAN = 3600 * SECOND


def arrivals(options: Options, block: int, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For events that happened `at`, return which of them are written (places, some twice) and when (µs since 1970)."""
    rng = stream(options.seed, Purpose.ARRIVALS, block)
    count = len(at)
    late = rng.random(count) < LATE
    delay = rng.exponential(np.where(late, LATE_MEAN, PROMPT_MEAN)) + np.where(late, 3600 * SECOND, 0)
    created = at + delay.astype(np.int64)
    again = np.flatnonzero(rng.random(count) < TWICE)
    second = created[again] + 60 * SECOND + rng.exponential(AGAIN_MEAN, len(again)).astype(np.int64)
    return np.concatenate([np.arange(count), again]), np.concatenate([created, second])
