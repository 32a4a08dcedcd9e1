"""Growing pauses between attempts, with jitter, that a caller who gives up can cut short."""

import random
import threading

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0


def pause_seconds(attempt: int, chance: float) -> float:
    """Return the pause after attempt 1, 2, …: from 0.5 s doubling to 8 s, less up to half by `chance`."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1)) * (1 - chance / 2))


class Patience:
    """Allows `attempts` attempts in all."""

    def __init__(self, attempts: int, stop: threading.Event) -> None:
        self.left = attempts - 1
        self.attempt = 0
        self.stop = stop

    def pause(self) -> bool:
        """Wait before the next attempt; False when there is none."""
        if self.left <= 0:
            return False
        self.left -= 1
        self.attempt += 1
        return not self.stop.wait(pause_seconds(self.attempt, random.random()))  # noqa: S311 (jitter, no secret)
