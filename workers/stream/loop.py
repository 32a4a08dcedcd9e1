"""Following an input until told to stop: micro-batches, what falls due, and what is written out now and then."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from limner.language.errors import LimnerError
from limner.workers.stream.inputs import Batch, Input, Told
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
    definition of a view is served.
    """
    total = Told()
    source.go_on(worker.position(source.name))
    flushed = beat = time.monotonic()
    while not stop():
        batch = _patiently(lambda: source.take(pace.most, _wait(worker)), stop, tell) or Batch()
        due = worker.next_due is not None and worker.next_due <= worker.clock()
        if batch.events or due:
            _add(total, _patiently(lambda batch=batch: _step(worker, source, batch), stop, tell))  # type: ignore[misc]
            _patiently(worker.send, stop, tell)
        moment = time.monotonic()
        if moment - beat > _HEARTBEAT:
            beat = moment
            _patiently(worker.send, stop, tell)
        if moment - flushed > pace.flush:
            flushed = moment
            _patiently(worker.flush, stop, tell)
        if once and source.exhausted:
            break
    worker.step([])
    worker.send()
    worker.flush()
    return total


def _step(worker: Worker, source: Input, batch: Batch) -> Told:
    told = worker.step(batch.events, {source.name: batch.position} if batch.position is not None else {})
    source.done(batch, told)
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
