"""Work in a process of its own, which is ended when it takes too long or too much memory."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

Work = Callable[[], float]


class Limited:
    """A process that does the same work each time it is asked; `why` it ended, if it did."""

    def __init__(self, process: Any, asking: Connection, seconds: float, memory: float) -> None:
        self._process, self._asking = process, asking
        self.seconds, self.memory, self.why = seconds, memory, ""

    def __call__(self) -> float | None:
        """Seconds that the work says it took; None once a limit was passed or the work failed."""
        import psutil

        if self.why:
            return None
        begun, held = time.monotonic(), 0
        try:
            self._asking.send("again")
            while not self._asking.poll(0.1):
                held = psutil.Process(self._process.pid).memory_info().rss
                if held > self.memory:
                    self._end(f"passed {self.memory / 1e9:.0f} GB of memory after {time.monotonic() - begun:.0f} s")
                    return None
                if time.monotonic() - begun > self.seconds:
                    self._end(f"had not finished after {self.seconds:.0f} s, and held {held / 1e9:.1f} GB")
                    return None
            told = self._asking.recv()
        except (EOFError, OSError, psutil.NoSuchProcess):
            told = f"died, {held / 1e9:.1f} GB large"
        if isinstance(told, str):
            self._end(told)
            return None
        return float(told)

    def _end(self, why: str) -> None:
        self.why = why
        self._process.kill()
        self._process.join()


@contextmanager
def limited(make: Callable[..., Work], *arguments: Any, seconds: float, memory: float) -> Iterator[Limited]:
    """A process that calls `make(*arguments)` once and what it returns each time; `memory` in bytes it may hold."""
    context = multiprocessing.get_context("spawn")
    asking, answering = context.Pipe()
    process = context.Process(target=_serve, args=(answering, make, arguments), daemon=True)
    process.start()
    answering.close()
    try:
        yield Limited(process, asking, seconds, memory)
    finally:
        process.kill()
        process.join()


def _serve(answering: Connection, make: Callable[..., Work], arguments: tuple[Any, ...]) -> None:
    try:
        work = make(*arguments)
        while answering.recv():
            answering.send(work())
    except EOFError:
        return
    except BaseException as error:  # noqa: BLE001 - told to whoever asked
        answering.send(f"failed: {type(error).__name__}: {error}")
