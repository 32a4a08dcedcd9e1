"""Answers that are kept for a short while: how many and how long, the caller says."""

from collections import OrderedDict
from threading import Lock
from time import monotonic
from typing import Any

from limner.language.errors import LimnerError
from limner.serving.client.calls import Call

Asked = tuple[str, bytes, str]


class Cache:
    """Bodies of answers by request; the one that was not asked for the longest goes first. Threads may share it.

    Bodies, not values: what a caller does to a value that it was given, no other caller sees.
    """

    def __init__(self, entries: int, seconds: float) -> None:
        """LimnerError where one bound is given and the other is not."""
        if entries < 0 or seconds < 0 or bool(entries) != bool(seconds):
            raise LimnerError("give a cache both its bounds: cache_entries and cache_seconds, more than 0")
        self._entries, self._seconds = entries, seconds
        self._kept: OrderedDict[Asked, tuple[float, bytes]] = OrderedDict()
        self._lock = Lock()

    def get(self, call: Call[Any]) -> bytes | None:
        """The body, None where it is not known or too old."""
        if not self._entries:
            return None
        asked = call.path, call.body, call.accept
        with self._lock:
            found = self._kept.get(asked)
            if found is None:
                return None
            if monotonic() - found[0] > self._seconds:
                del self._kept[asked]
                return None
            self._kept.move_to_end(asked)
            return found[1]

    def put(self, call: Call[Any], body: bytes, asked_at: float) -> None:
        """Keep an answer; `asked_at` is when it was asked for (`monotonic` seconds): it is not newer than that."""
        if not self._entries:
            return
        with self._lock:
            self._kept[call.path, call.body, call.accept] = asked_at, body
            self._kept.move_to_end((call.path, call.body, call.accept))
            while len(self._kept) > self._entries:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
