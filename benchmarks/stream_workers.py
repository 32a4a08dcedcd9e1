"""Events a second that one worker takes from Redis Streams, and several that share them."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from limner.benchmarks.valkey import valkey
from limner.language.errors import LimnerError

_ROUNDS = 2
_PATIENCE = 300.0  # seconds
_POLL = 0.005


def rates(root: Path, workers: int, events: int, tap: Callable[[int, datetime], dict[str, Any]]) -> list[float]:
    """Events a second by round: from the first that is read to the last that is acknowledged.

    `tap` makes the n-th event of the source `taps`; an acknowledged event is durable and online.
    """
    import redis

    with ExitStack() as stack:
        url = f"redis://127.0.0.1:{stack.enter_context(valkey())}/0"
        client = redis.Redis.from_url(url)
        stack.callback(client.close)
        command = [sys.executable, "-m", "limner.cli.main", "-C", str(root), "stream", "--from", url]
        for _ in range(workers):
            worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(worker.wait, 60)
            stack.callback(worker.terminate)
        _until(lambda: _waiting(client) == workers)
        found = []
        for number in range(-1, _ROUNDS):  # the first one warms them up
            now = datetime.now(UTC)
            count = events if number >= 0 else 1_000
            bodies = [json.dumps(tap((number + 2) * 10**6 + n, now)) for n in range(count)]
            _send(client, bodies)
            begun = time.perf_counter()
            _until(lambda: _left(client) == 0)
            if number >= 0:
                found.append(count / (time.perf_counter() - begun))
        return found


def _send(client: Any, bodies: list[str]) -> None:
    """All at once: nobody reads an entry before the last one is there."""
    pipe = client.pipeline(transaction=True)
    for body in bodies:
        pipe.xadd("events:taps", {"event": body})
    pipe.execute()


def _waiting(client: Any) -> int:
    import redis

    try:
        return len(client.xinfo_consumers("events:taps", "limner"))
    except redis.ResponseError:
        return 0


def _left(client: Any) -> int:
    (group,) = client.xinfo_groups("events:taps")
    return int(group["pending"]) + int(group["lag"])


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise LimnerError("the workers did not take the events")
        time.sleep(_POLL)
