"""Contenders take turns, so that whatever else the machine does meets all of them alike."""

import gc
import time
from collections.abc import Callable, Mapping

Contender = Callable[[int], float | None]


def in_turns(contenders: Mapping[str, Contender], rounds: int, *, warm: int = 1) -> dict[str, list[float]]:
    """Seconds by contender, one a round. `warm` rounds go first and are not counted; rounds are numbered from 0.

    A contender gets the round's number and returns the seconds it took, or None to be timed from outside. Every
    other round goes backwards: none profits always from what the one before it left in a cache. Objects from before
    the rounds that count are kept out of Python's garbage collections: those take a fifth of a second in a process with
    Feast, Ray and torch in it, and would meet any contender.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    try:
        for number in range(warm + rounds):
            if number == warm:
                gc.collect()
                gc.freeze()
            names = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
            for name in names:
                begun = time.perf_counter()
                told = contenders[name](number)
                took = time.perf_counter() - begun if told is None else told
                if number >= warm:
                    seconds[name].append(took)
    finally:
        gc.unfreeze()
    return seconds
