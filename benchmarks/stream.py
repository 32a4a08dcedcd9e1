"""Events a second that one worker takes, and how long an event takes from `POST /events` to a changed online answer."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from limner.benchmarks.freshness import POLL, freshness
from limner.benchmarks.project import BenchProject
from limner.benchmarks.report import Report
from limner.benchmarks.stream_workers import rates
from limner.benchmarks.triton import own_triton
from limner.language.errors import LimnerError
from limner.language.repo import load
from limner.workers.context import RunContext
from limner.workers.encoder.settings import TritonSettings
from limner.workers.history.manifest import History
from limner.workers.ledger import Ledger
from limner.workers.online.loading import load as load_online
from limner.workers.online.loading import state_of
from limner.workers.online.opening import open_writer
from limner.workers.plan import plan_view
from limner.workers.report import silent
from limner.workers.run import materialize
from limner.workers.stream.choose import streamed
from limner.workers.stream.events import Raw
from limner.workers.stream.worker import Worker
from limner.workers.tasks import InProcess
from limner.workers.text.encode import encode_with

if TYPE_CHECKING:
    from limner.language.models import Encoder

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
_TURNS = 3
BOUNDS = {50: 100.0, 99: 1000.0}
"""By percentile, how soon an event is to be seen online, ms."""


def run(
    folder: Path,
    events: int = 20_000,
    shoppers: int = 2_000,
    rate: int = 100,
    seconds: int = 15,
    encoder: "Encoder | None" = None,
    root: Path | None = None,
) -> Report:
    """Events into a worker of this process, without texts; then by HTTP at `rate` a second into others, with.

    The texts are hashed; with `encoder` those of a third worker are encoded by a Triton beside it, which the project in
    `root` lends.
    """
    report = Report("stream", {"events": events, "shoppers": shoppers, "rate": rate, "seconds": seconds})
    plain = project(folder / "plain", _SPECS, shoppers)
    wall, cpu = _sustained(plain, events, shoppers)
    report.measure("events taken, computed and online, one worker, no texts", "events/s", wall)
    report.measure("the same, of one core's time", "events/s", cpu)
    report.compare("events/s over 2,000, no texts", wall, [2_000.0] * len(wall), target=1)
    one, two = list[float](), list[float]()
    for turn in range(_TURNS):
        for workers, into in ((1, one), (2, two)):
            shared = project(folder / f"redis-{turn}-{workers}", _SPECS, shoppers)
            into.extend(rates(shared, workers, events // 2, partial(_shared_tap, shoppers)))
    report.measure("from Redis Streams, one worker", "events/s", one)
    report.measure("from Redis Streams, two workers of one project", "events/s", two)
    report.compare("two workers over one, from Redis Streams", two, one)
    name = f"POST /events to a changed online answer, {{}}, {rate} events/s"
    texts = project(folder / "texts", _SPECS + _TEXT, shoppers)
    _tell(report, name.format("texts included"), "texts included", freshness(texts, tap, shoppers, rate, seconds))
    if encoder is not None:
        with _encoding(folder, encoder, root) as (specs, settings):
            made = project(folder / "encoded", specs, shoppers, settings)
            found = freshness(made, tap, shoppers, rate, seconds)
        _tell(report, name.format("texts encoded by Triton"), "texts encoded by Triton", found)
    report.notes.append(
        f"{rate * seconds:,} events were sent, each with a text of its own, and looked for every {POLL * 1000:g} ms"
    )
    return report


def _tell(report: Report, name: str, short: str, seconds: list[float]) -> None:
    for share, bound in BOUNDS.items():
        took = [float(np.percentile(seconds, share)) * 1000]
        report.measure(f"{name}, p{share}", "ms", took)
        report.compare(f"p{share} over {bound:g} ms, {short}", took, [bound], target=1, better="less")


@contextmanager
def _encoding(folder: Path, encoder: "Encoder", root: Path | None) -> Iterator[tuple[str, TritonSettings]]:
    """Specs of a view of vectors by Triton, which runs within."""
    from limner.workers.encoder.resolve import resolve

    model = resolve(encoder, root or folder)
    with own_triton(folder / "triton", [model], root) as (_, settings):
        yield encoded(encoder, model.folder), settings


def encoded(encoder: "Encoder", model: Path) -> str:
    """Specs of texts that `encoder` makes vectors of; `model` is its folder."""
    spec = encoder.model_copy(update={"model": str(model)}).model_dump(mode="json", exclude_unset=True)
    return f"{_SPECS}{_TEXT.replace('terms', encoder.encoder)}---\n{yaml.safe_dump(spec)}"


def project(root: Path, specs: str, shoppers: int, triton: TritonSettings | None = None) -> Path:
    """A project with ten taps a shopper in its files, materialized to now; they have some hundred different texts."""
    BenchProject(root, specs, settings={} if triton is None else {"batch_engine": {"triton": triton.to_mapping()}})
    (root / "data" / "taps").mkdir(parents=True)
    now = datetime.now(UTC)
    generator = np.random.default_rng(7)
    with (root / "data" / "taps" / "before.jsonl").open("w") as file:
        for n in range(10 * shoppers):
            at = now - timedelta(seconds=float(generator.uniform(1, 80_000)))
            words = {"words": f"number {n % 100}", "received": at.isoformat()}
            file.write(json.dumps(tap(-n - 1, n % shoppers, at) | words) + "\n")
    plan = plan_view(load(root / "specs"), "live", root, root / "data")
    until = int(time.time() * 1e6)
    with _context(root, triton) as context:
        history = History(plan.folder / plan.fingerprint)
        before = state_of(history)
        result = materialize(plan, until - 60_000_000, until, context)
        with open_writer(root / "data" / "online.db") as writer:
            load_online(writer, plan, result.history, before, result.latest())
    return root


def tap(n: int, shopper: int, at: datetime) -> dict[str, Any]:
    """An event; its text is its own."""
    words = f"{_KINDS[n % 5]} number {n}"
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
def _context(root: Path, triton: TritonSettings | None = None) -> Iterator[RunContext]:
    ledger = Ledger(f"sqlite:///{root / 'data' / 'ledger.db'}")
    try:
        run_id = ledger.start_run("bench", ["live"])
        encode = partial(encode_with, triton or TritonSettings())
        yield RunContext(InProcess(), encode, silent, ledger, run_id, shards=1)
    finally:
        ledger.close()


def _shared_tap(shoppers: int, n: int, at: datetime) -> dict[str, Any]:
    return tap(n, n * 7919 % shoppers, at)


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
                    rows = [tap(n, n * 7919 % shoppers, now) for n in numbers]
                    told = worker.step([Raw("taps", json.dumps(row).encode()) for row in rows])
                    if told.taken != _BATCH:
                        raise LimnerError(f"{_BATCH - told.taken} events were not taken: {told.refused}")
                    worker.send()
                    sent += _BATCH
                worker.flush()
                wall.append(count * _BATCH / (time.perf_counter() - begun))
                cpu.append(count * _BATCH / (time.process_time() - spent))
    return wall, cpu
