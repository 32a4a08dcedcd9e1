"""Events a second that one worker takes, and how long an event takes from `POST /events` to a changed online answer."""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from limner.benchmarks.project import BenchProject
from limner.benchmarks.report import Report
from limner.language.errors import LimnerError
from limner.language.repo import load
from limner.workers.context import RunContext
from limner.workers.encoder.settings import TritonSettings
from limner.workers.history.manifest import History
from limner.workers.ledger import Ledger
from limner.workers.online.loading import load as load_online
from limner.workers.online.loading import state_of
from limner.workers.online.opening import open_writer
from limner.workers.online.store import Store
from limner.workers.plan import plan_view
from limner.workers.report import silent
from limner.workers.run import materialize
from limner.workers.stream.choose import streamed
from limner.workers.stream.events import Raw
from limner.workers.stream.worker import Worker
from limner.workers.tasks import InProcess
from limner.workers.text.encode import encode_with

_SPECS = """
entity: shopper
join_keys: {shopper_id: int}
---
source: taps
path: data/taps
format: jsonl
entity: shopper
event_timestamp: at
created_timestamp: received
clean: {cast: {shopper_id: int, amount: float, n: int}}
stream: {id: tap, lateness: 1d}
---
encoder: terms
hashing: {features: 256}
---
feature_view: live
entity: shopper
source: taps
every: event
features:
  taps: {count: "*", over: [5m, 1h, 1d]}
  spend: {sum: amount, over: [5m, 1h, 1d]}
  mean: {mean: amount, over: [1h, 1d]}
  dear: {max: amount, over: 1d}
  kinds: {distinct: kind, over: 1d}
  top: {top: 3, of: kind, over: 1d}
  path: {sequence: 5, of: kind, over: 1h}
  last: {last: kind, over: 1d}
  newest: {last: n, over: 1d}
"""
_TEXT = """  taste: {embed: "{kind} {words}", encoder: terms, over: 1d}
"""
_KINDS = ["milk", "bread", "tea", "soap", "fish", "rice", "wine", "salt"]
_BATCH = 1000
_THREADS = 24
_POLL = 0.003  # seconds
BOUNDS = {50: 100.0, 99: 1000.0}
"""By percentile, how soon an event is to be seen online, ms."""


def run(folder: Path, events: int = 20_000, shoppers: int = 2_000, rate: int = 100, seconds: int = 15) -> Report:
    """Events into a worker of this process, without texts; then by HTTP at `rate` a second into another, with."""
    report = Report("stream", {"events": events, "shoppers": shoppers, "rate": rate, "seconds": seconds})
    plain = _project(folder / "plain", _SPECS, shoppers)
    wall, cpu = _sustained(plain, events, shoppers)
    report.measure("events taken, computed and online, one worker, no texts", "events/s", wall)
    report.measure("the same, of one core's time", "events/s", cpu)
    report.compare("events/s over 2,000, no texts", wall, [2_000.0] * len(wall), target=1)
    texts = _project(folder / "texts", _SPECS + _TEXT, shoppers)
    found = np.array(_freshness(texts, shoppers, rate, seconds)) * 1000
    name = f"POST /events to a changed online answer, texts included, {rate} events/s"
    for share, bound in BOUNDS.items():
        took = [float(np.percentile(found, share))]
        report.measure(f"{name}, p{share}", "ms", took)
        report.compare(f"p{share} over {bound:g} ms, texts included", took, [bound], target=1, better="less")
    report.notes.append(f"{len(found):,} events were sent; each was looked for every {_POLL * 1000:g} ms")
    return report


def _project(root: Path, specs: str, shoppers: int) -> Path:
    """A project with ten taps a shopper in its files, materialized to now."""
    BenchProject(root, specs)
    (root / "data" / "taps").mkdir(parents=True)
    now = datetime.now(UTC)
    generator = np.random.default_rng(7)
    with (root / "data" / "taps" / "before.jsonl").open("w") as file:
        for n in range(10 * shoppers):
            at = now - timedelta(seconds=float(generator.uniform(1, 80_000)))
            file.write(json.dumps(_tap(-n - 1, n % shoppers, at) | {"received": at.isoformat()}) + "\n")
    plan = plan_view(load(root / "specs"), "live", root, root / "data")
    until = int(time.time() * 1e6)
    with _context(root) as context:
        history = History(plan.folder / plan.fingerprint)
        before = state_of(history)
        result = materialize(plan, until - 60_000_000, until, context)
        with open_writer(root / "data" / "online.db") as writer:
            load_online(writer, plan, result.history, before, result.latest())
    return root


def _tap(n: int, shopper: int, at: datetime) -> dict[str, Any]:
    words = f"{_KINDS[n % 5]} number {n % 1000}"
    kind = _KINDS[n % len(_KINDS)]
    return {
        "tap": f"t{n}",
        "n": n,
        "shopper_id": shopper,
        "at": at.isoformat(),
        "amount": n % 90,
        "kind": kind,
        "words": words,
    }


@contextmanager
def _context(root: Path) -> Iterator[RunContext]:
    ledger = Ledger(f"sqlite:///{root / 'data' / 'ledger.db'}")
    try:
        run_id = ledger.start_run("bench", ["live"])
        encode = partial(encode_with, TritonSettings())
        yield RunContext(InProcess(), encode, silent, ledger, run_id, shards=1)
    finally:
        ledger.close()


def _sustained(root: Path, events: int, shoppers: int) -> tuple[list[float], list[float]]:
    """Events a second, and a second of processor time, by fifths of the events.

    A micro-batch is durable and online before the next one begins.
    """
    wall, cpu = [], []
    count = max(1, events // 5 // _BATCH)
    with _context(root) as context:
        views = streamed(load(root / "specs"), root, root / "data")
        with Worker(root, root / "data", root / "data" / "online.db", views, context) as worker:
            worker.step([])
            sent = 0
            for _ in range(5):
                begun, spent = time.perf_counter(), time.process_time()
                for _ in range(count):
                    now = datetime.now(UTC)
                    numbers = range(sent, sent + _BATCH)
                    rows = [_tap(n, n * 7919 % shoppers, now) for n in numbers]
                    told = worker.step([Raw("taps", json.dumps(row).encode()) for row in rows])
                    if told.taken != _BATCH:
                        raise LimnerError(f"{_BATCH - told.taken} events were not taken: {told.refused}")
                    worker.send()
                    sent += _BATCH
                worker.flush()
                wall.append(count * _BATCH / (time.perf_counter() - begun))
                cpu.append(count * _BATCH / (time.process_time() - spent))
    return wall, cpu


def _freshness(root: Path, shoppers: int, rate: int, seconds: int) -> list[float]:
    """Seconds from sending an event to reading it, of each."""
    port = _free_port()
    command = [sys.executable, "-m", "limner.cli.main", "-C", str(root), "stream", "--from", f"http://127.0.0.1:{port}"]
    worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _send(_connected(port), 10**6, 0)  # when it is answered, the worker has started
        found: list[float] = []
        lock = threading.Lock()
        numbers = iter(range(rate * seconds))
        begun = time.perf_counter() + 0.5

        def client() -> None:
            connection, store = _connected(port), Store(root)
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                time.sleep(max(0.0, begun + number / rate - time.perf_counter()))
                shopper = number % shoppers
                sent = time.perf_counter()
                _send(connection, 2 * 10**6 + number, shopper)
                while store.arrays("live", [shopper])["newest"][0] < 2 * 10**6 + number:
                    time.sleep(_POLL)
                with lock:
                    found.append(time.perf_counter() - sent)

        threads = [threading.Thread(target=client) for _ in range(_THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found
    finally:
        worker.terminate()
        worker.wait(60)


def _send(connection: http.client.HTTPConnection, number: int, shopper: int) -> None:
    body = json.dumps(_tap(number, shopper, datetime.now(UTC)))
    connection.request("POST", "/events/taps", body, {"content-type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    if answer.get("taken") != 1:
        raise LimnerError(f"an event was not taken: {answer}")


def _connected(port: int) -> http.client.HTTPConnection:
    """A connection; waits until somebody listens."""
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.connect()
        except OSError:
            time.sleep(0.1)
        else:
            return connection
    raise LimnerError("the worker did not start")


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return cast("int", found.getsockname()[1])
