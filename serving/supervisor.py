"""Several workers on one port: each has a socket of its own, which outlives it, so no connection is lost with it."""

import contextlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from limner.language.errors import LimnerError
from limner.serving.settings import ServeSettings
from limner.serving.worker import GRACE_SECONDS, listen

FAST_SECONDS = 5.0  # a worker that ends sooner than this after its start failed to start
FAILURES = 3  # one after the other
Tell = Callable[[str], object]


class Supervisor:
    """Starts workers, starts them again when they end, ends them when it is told to."""

    def __init__(
        self, settings: ServeSettings, sockets: Sequence[socket.socket], command: Sequence[str], tell: Tell
    ) -> None:
        """`command` is what serves on a file descriptor: it is given settings, descriptor, folder and slot."""
        self._settings, self._sockets, self._command, self._tell = settings, sockets, command, tell
        self._workers: dict[int, tuple[subprocess.Popen[bytes], float]] = {}
        self._stopping = self._again = False

    def run(self) -> None:
        """Until SIGTERM or SIGINT. SIGHUP replaces the workers one by one. LimnerError where they cannot be started."""
        handlers = {
            number: signal.signal(number, self._hear) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        with tempfile.TemporaryDirectory(prefix="limner-serve-") as folder:
            try:
                for slot in range(len(self._sockets)):
                    self._start(slot, Path(folder))
                self._watch(Path(folder))
            finally:
                self._end()
                for number, handler in handlers.items():
                    signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._again = True
        else:
            self._stopping = True

    def _watch(self, folder: Path) -> None:
        failures = 0
        while not self._stopping:
            time.sleep(0.2)
            if self._again:
                self._again = False
                self._replace(folder)
            for slot, (worker, begun) in list(self._workers.items()):
                if worker.poll() is None:
                    continue
                failures = failures + 1 if time.monotonic() - begun < FAST_SECONDS else 0
                if failures >= FAILURES:
                    raise LimnerError("the workers end as soon as they are started: see what they said above")
                self._tell(f"worker {slot} ended with {worker.returncode}: starting another")
                self._start(slot, folder)

    def _replace(self, folder: Path) -> None:
        """One after the other: what comes for a slot meanwhile waits in its socket."""
        for slot, (worker, _) in list(self._workers.items()):
            worker.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(GRACE_SECONDS + 5)
            worker.kill()
            worker.wait()
            self._start(slot, folder)
        self._tell("the workers were replaced")

    def _start(self, slot: int, folder: Path) -> None:
        descriptor = self._sockets[slot].fileno()
        line = [*self._command, self._settings.to_json(), str(descriptor), str(folder), str(slot)]
        worker = subprocess.Popen(line, pass_fds=[descriptor])  # noqa: S603 - our own words
        self._workers[slot] = worker, time.monotonic()

    def _end(self) -> None:
        for worker, _ in self._workers.values():
            if worker.poll() is None:
                worker.terminate()
        deadline = time.monotonic() + GRACE_SECONDS + 5
        for worker, _ in self._workers.values():
            try:
                worker.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def sockets(settings: ServeSettings) -> list[socket.socket]:
    """A listening socket a worker, all on one port. LimnerError where it is taken."""
    try:
        first = listen(settings.host, settings.port)
        if settings.workers == 1:
            return [first]
        port = first.getsockname()[1]
        first.close()  # it has shown that nobody else is there: sockets that share a port would join theirs
        return [listen(settings.host, port, shared=True) for _ in range(settings.workers)]
    except OSError as error:
        where = f"{settings.host}:{settings.port}"
        raise LimnerError(f"cannot listen on {where}: {error.strerror}; choose another --port or --host") from error


def command() -> list[str]:
    """What starts a worker."""
    return [sys.executable, "-m", "limner.cli.serve_worker"]
