"""`limner stream --workers N`: processes that share an input; one that ends before it is told to is started again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from limner.language.errors import LimnerError

FAILURES = 3  # workers that end soon after they were started, one after the other
_SOON = 20.0  # seconds
_POLL = 0.1
_GRACE = 120.0  # seconds for what is under way


class Group:
    """`command` starts a worker, which prints what it did as JSON when it ends."""

    def __init__(self, command: Sequence[str], workers: int, tell: Callable[[str], object]) -> None:
        self._command, self._tell = command, tell
        self._stop = threading.Event()
        self._total: Counter[str] = Counter()
        self._running = [self._start() for _ in range(workers)]

    def run(self) -> dict[str, int]:
        """Until SIGTERM or SIGINT, or until all have come to the end of their input; sums what they did.

        LimnerError where they cannot be started.
        """
        before = {each: signal.signal(each, lambda *_: self._stop.set()) for each in (signal.SIGINT, signal.SIGTERM)}
        failures = 0
        try:
            while self._running and not self._stop.wait(_POLL):
                for worker in [each for each in self._running if each.ended]:
                    self._running.remove(worker)
                    if worker.process.returncode == 0:
                        self._total.update(worker.told())
                        continue
                    failures = failures + 1 if worker.age < _SOON else 1
                    if failures >= FAILURES:
                        raise LimnerError("the workers end as soon as they are started: see what they said above")
                    self._tell(f"a worker ended with {worker.process.returncode}: starting another")
                    self._running.append(self._start())
        finally:
            self._end()
            for each, handler in before.items():
                signal.signal(each, handler)
        return dict(self._total)

    def _start(self) -> "_Worker":
        line = [*self._command, "--parent", str(os.getpid())]
        return _Worker(subprocess.Popen(line, stdout=subprocess.PIPE, text=True))  # noqa: S603 - our own words

    def _end(self) -> None:
        for worker in self._running:
            worker.process.terminate()
        deadline = time.monotonic() + _GRACE
        for worker in self._running:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
                self._total.update(worker.told())
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()


class _Worker:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process, self._begun = process, time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self._begun

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def told(self) -> dict[str, int]:
        """What it printed: nothing, where it failed."""
        assert self.process.stdout is not None
        text = self.process.stdout.read()
        return dict(json.loads(text)) if self.process.returncode == 0 and text else {}


def command(root: str, views: Sequence[str], options: Sequence[str]) -> list[str]:
    """What starts a worker of a project."""
    return [sys.executable, "-m", "limner.cli.main", "-C", root, "stream", *views, *options, "--json"]
