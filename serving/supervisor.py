"""Several workers on one port: each has a socket of its own, which outlives it, so no connection is lost with it."""

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from limner.language.errors import LimnerError
from limner.serving.settings import ServeSettings
from limner.serving.worker import GRACE_SECONDS, listen

START_SECONDS = 120.0
FAILURES = 3  # workers that end before they serve, one after the other
Tell = Callable[[str], object]


class Supervisor:
    """Starts workers, starts them again when they end, ends them when it is told to."""

    def __init__(
        self, settings: ServeSettings, sockets: Sequence[socket.socket], command: Sequence[str], tell: Tell
    ) -> None:
        """`command` is what serves on a file descriptor: it is given settings, descriptor, folder and slot."""
        self._settings, self._sockets, self._command, self._tell = settings, sockets, command, tell
        self._workers: dict[int, _Worker] = {}
        self._started = 0
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
            for slot, worker in list(self._workers.items()):
                if worker.process.poll() is None:
                    continue
                failures = 0 if worker.ready.exists() else failures + 1
                if failures >= FAILURES:
                    raise LimnerError("the workers end as soon as they are started: see what they said above")
                self._tell(f"worker {slot} ended with {worker.process.returncode}: starting another")
                self._start(slot, folder)

    def _replace(self, folder: Path) -> None:
        """One after the other, each when the next one serves: they take turns on one socket, and nothing waits."""
        for slot, old in list(self._workers.items()):
            new = self._start(slot, folder)
            deadline = time.monotonic() + START_SECONDS
            while not new.ready.exists():
                if new.process.poll() is not None or time.monotonic() > deadline:
                    new.end()
                    self._workers[slot] = old
                    self._tell("the workers were not replaced: a new one could not start")
                    return
                time.sleep(0.1)
            old.end()
        self._tell("the workers were replaced")

    def _start(self, slot: int, folder: Path) -> "_Worker":
        self._started += 1
        descriptor = self._sockets[slot].fileno()
        line = [*self._command, self._settings.to_json(), str(descriptor), str(folder), str(self._started)]
        process = subprocess.Popen(line, pass_fds=[descriptor])  # noqa: S603 - our own words
        worker = self._workers[slot] = _Worker(process, folder / f"{self._started}.json")
        return worker

    def _end(self) -> None:
        for worker in self._workers.values():
            worker.process.terminate()
        for worker in self._workers.values():
            worker.end()


@dataclass(frozen=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    ready: Path  # a file that is there when it serves

    def end(self) -> None:
        """Let it answer what is under way."""
        self.process.terminate()
        try:
            self.process.wait(GRACE_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


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
