"""Following an input until told to stop: micro-batches, what falls due, and what is written out now and then."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from limner.language.errors import LimnerError
from limner.workers.stream.inputs import Batch, Input, Sharing, Told
from limner.workers.stream.serving import MovedError
from limner.workers.stream.worker import Worker

T = TypeVar("T")
_WAIT = 0.05  # seconds without an event until what is due is looked at
_HEARTBEAT = 1.0  # seconds until the store is looked at, too: somebody may have put other values there
_PAUSES = (0.1, 0.5, 2.0, 5.0)  # seconds before a step that failed is tried again; the last one for ever


@dataclass(frozen=True)
class Pace:
    """How many events a micro-batch has at most, and how often (seconds) files and histories are written."""

    most: int = 1000
    flush: float = 10.0


def follow(
    worker: Worker,
    source: Input,
    stop: Callable[[], bool],
    tell: Callable[[str], object],
    pace: Pace,
    *,
    once: bool = False,
) -> Told:
    """Take events until `stop`, or with `once` until there are no more; then write out what there is.

    A store or an encoder that fails is told of and tried again: no event is taken meanwhile. MovedError where another
    definition of a view is served, or a run has read files that the worker has not.
    """
    total, taking = Told(), _Taking(worker, source, pace.most, tell, once=once)
    flushed = beat = time.monotonic()
    while not stop():
        batch = _patiently(taking.take, stop, tell) or Batch()
        due = worker.next_due is not None and worker.next_due <= worker.clock()
        if batch.events or due:
            _add(total, _patiently(lambda batch=batch: taking.step(batch), stop, tell))  # type: ignore[misc]
            if worker.unsent:
                _patiently(worker.send, stop, tell)
        moment = time.monotonic()
        if moment - beat > _HEARTBEAT:
            beat = moment
            worker.catch_up()
            worker.look()
            _patiently(worker.send, stop, tell)
        if moment - flushed > min(pace.flush / 2, _HEARTBEAT):
            flushed = moment
            if worker.turns.due_to_flush(pace.flush):
                _patiently(worker.flush, stop, tell)
        if once and source.exhausted:
            break
    worker.step([])
    worker.send()
    worker.flush()
    return total


@dataclass
class _Taking:
    """Events of an input for one of the workers that may follow it."""

    worker: Worker
    source: Input
    most: int
    tell: Callable[[str], object]
    once: bool
    _mine: Callable[[], bool] = lambda: True
    _ready: bool = False
    _drawn: int | None = None

    def __post_init__(self) -> None:
        if self.source.sharing is Sharing.SOLE:
            self._mine = self.worker.turns.sole(hashlib.sha256(self.source.name.encode()).hexdigest()[:16])
            if not self._mine():
                if self.once:
                    raise LimnerError(f"another stream worker reads {self.source.name}")
                self.tell(f"another worker reads {self.source.name}: standing by")

    def take(self) -> Batch:
        """What there is; in their order, where workers take turns, so that it happens in that order, too."""
        if not self._mine():
            time.sleep(_WAIT)
            return Batch()
        if not self._ready:
            self.source.go_on(self.worker.position(self.source.name), self.worker.member)
            self._ready = True
        if self.source.sharing is not Sharing.ORDER:
            return self.source.take(self.most, _wait(self.worker))
        with self.worker.turns.in_order(_WAIT) as can:
            batch = self.source.take(self.most, _wait(self.worker)) if can else Batch()
            if batch.events:
                self._drawn = self.worker.draw()
        return batch

    def step(self, batch: Batch) -> Told:
        """Let it happen, and tell the input."""
        position = {} if batch.position is None else {self.source.name: batch.position}
        instant, self._drawn = self._drawn, None
        told = self.worker.step(batch.events, position, instant)
        self.source.done(batch, told)
        return told


def _wait(worker: Worker) -> float:
    due = worker.next_due
    return _WAIT if due is None else min(_WAIT, max(0.0, (due - worker.clock()) / 1e6))


def _patiently(do: Callable[[], T], stop: Callable[[], bool], tell: Callable[[str], object]) -> T | None:
    """What `do` gives, tried again until it succeeds; None where that is stopped."""
    for attempt in range(10**9):
        try:
            return do()
        except MovedError:
            raise
        except LimnerError as error:
            if stop():
                raise
            tell(f"{error}; trying again")
            time.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
    return None


def _add(total: Told, more: Told | None) -> None:
    if more is not None:
        total.taken += more.taken
        total.repeated += more.repeated
        total.dead += more.dead
        total.changed += more.changed
