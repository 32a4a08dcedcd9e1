"""How long an event takes from `POST /events` to a changed online answer, with a worker in a process of its own."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from limner.benchmarks.ports import free_port
from limner.language.errors import LimnerError
from limner.workers.online.store import Store

POLL = 0.003  # seconds
_THREADS = 24

Tap = Callable[[int, int, datetime], dict[str, Any]]
"""The event of a number, of a shopper, at a time; `newest` of the view `live` is the number of a shopper's last one."""


def freshness(root: Path, tap: Tap, shoppers: int, rate: int, seconds: int) -> list[float]:
    """Seconds from sending an event to reading it, of each of `rate` a second for so long."""
    port = free_port()
    command = [sys.executable, "-m", "limner.cli.main", "-C", str(root), "stream", "--from", f"http://127.0.0.1:{port}"]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _send(_connected(port, worker), tap(10**6, 0, datetime.now(UTC)))  # when it is answered, the worker has started
        found: list[float] = []
        lock = threading.Lock()
        numbers = iter(range(rate * seconds))
        begun = time.perf_counter() + 0.5

        def client() -> None:
            connection, store = _connected(port, worker), Store(root)
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
                shopper = number % shoppers
                sent = time.perf_counter()
                _send(connection, tap(2 * 10**6 + number, shopper, datetime.now(UTC)))
                while store.arrays("live", [shopper])["newest"][0] < 2 * 10**6 + number:
                    time.sleep(POLL)
                with lock:
                    found.append(time.perf_counter() - sent)

        threads = [threading.Thread(target=client) for _ in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(found) < rate * seconds:
            raise LimnerError(f"{rate * seconds - len(found)} of {rate * seconds} events were not seen online")
        return found
    finally:
        worker.terminate()
        worker.wait(60)


def _send(connection: http.client.HTTPConnection, event: dict[str, Any]) -> None:
    connection.request("POST", "/events/taps", json.dumps(event), {"content-type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    if answer.get("taken") != 1:
        raise LimnerError(f"an event was not taken: {answer}")


def _connected(port: int, worker: "subprocess.Popen[bytes]") -> http.client.HTTPConnection:
    """A connection; waits until somebody listens."""
    for _ in range(1200):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.connect()
        except OSError:
            if worker.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return connection
    raise LimnerError("the worker did not start")
