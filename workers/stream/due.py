"""When something changes without an event: a row leaves a window, or enters one that looks further back."""

import heapq
from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from limner.workers.windows.column import Ints

T = TypeVar("T")


class Due(Generic[T]):
    """Instants (µs) and who may change then: entities, or numbers of rows."""

    def __init__(self) -> None:
        self._instants: Ints = np.empty(0, np.int64)
        self._owners: Sequence[T] = ()
        self._codes: Ints = np.empty(0, np.int64)
        self._place = 0
        self._heap: list[tuple[int, T]] = []

    def begin(self, instants: Ints, codes: Ints, owners: Sequence[T]) -> None:
        """Put in place of all that is there: at each instant `owners[code]` changes."""
        order = np.argsort(instants, kind="stable")
        self._instants, self._codes, self._owners, self._place = instants[order], codes[order], owners, 0
        self._heap = []

    def add(self, instant: int, key: T) -> None:
        """One more."""
        heapq.heappush(self._heap, (instant, key))

    def by(self, instant: int) -> set[T]:
        """Those who change by `instant`; they stay."""
        last = int(np.searchsorted(self._instants, instant, side="right"))
        found = {self._owners[code] for code in np.unique(self._codes[self._place : last]).tolist()}
        found |= {key for at, key in self._walk(instant)}
        return found

    def pass_by(self, instant: int) -> None:
        """Forget what was due by `instant`."""
        self._place = max(self._place, int(np.searchsorted(self._instants, instant, side="right")))
        while self._heap and self._heap[0][0] <= instant:
            heapq.heappop(self._heap)

    def next(self) -> int | None:
        """The next instant; None where nothing is due."""
        first = [int(self._instants[self._place])] if self._place < len(self._instants) else []
        return min([*first, *(at for at, _ in self._heap[:1])], default=None)

    def _walk(self, instant: int) -> list[tuple[int, T]]:
        """The entries of the heap by `instant`."""
        found, places = [], [0]
        while places:
            place = places.pop()
            if place < len(self._heap) and self._heap[place][0] <= instant:
                found.append(self._heap[place])
                places += [2 * place + 1, 2 * place + 2]
        return found
