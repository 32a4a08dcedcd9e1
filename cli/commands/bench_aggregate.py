"""`limner bench aggregate`: events turned into windowed history and online values, through Feast's materialize."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import output
from limner.cli.options import JsonOption

if TYPE_CHECKING:
    from limner.workers.history.manifest import History

START = datetime(2026, 1, 5, tzinfo=UTC)
REACH = 90  # days: the longest window, and so what must lie before the backfill
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: events
path: events.parquet
entity: user
event_timestamp: happened_at
---
feature_view: activity
entity: user
source: events
every: 1d
features:
  events: {count: "*", over: [7d, 30d, 90d]}
  spend: {sum: amount, over: [7d, 30d, 90d]}
  mean_spend: {mean: amount, over: 30d}
  dearest: {max: amount, over: 30d}
  categories: {distinct: category, over: 90d}
  favourites: {top: 3, of: category, over: 30d}
"""
FEATURES = 10


@dataclass(frozen=True)
class Figures:
    """Seconds are wall clock on a Ray that is up; memory is the peak over all processes (PSS)."""

    events: int
    entities: int
    features: int
    days: int
    cores: int
    start_seconds: float
    backfill_seconds: float
    backfill_rows: int
    next_day_seconds: float
    next_day_share: float
    peak_gigabytes: float


def bench_aggregate(
    events: Annotated[
        int, typer.Option(min=1000, help="Events, spread evenly over 90 days before and the backfill.")
    ] = 1_000_000,
    entities: Annotated[int, typer.Option(min=1, help="Entities.")] = 20_000,
    days: Annotated[int, typer.Option(min=2, help="Days of the backfill.")] = 90,
    json: JsonOption = False,
) -> int:
    """Materialize ten windowed features over a daily backfill, then the next single day."""
    with tempfile.TemporaryDirectory(prefix="limner-bench-") as folder:
        figures = measure(Path(folder) / "bench", events, entities, days)
    if json:
        output.emit_json(asdict(figures))
        return 0
    say = output.console().print
    say(f"{events:,} events, {entities:,} entities, {FEATURES} windowed features, a value each day")
    say(f"starting Feast and Ray   {figures.start_seconds:8.1f} s")
    say(f"{days} days                  {figures.backfill_seconds:8.1f} s   {figures.backfill_rows:,} history rows")
    say(f"the next day             {figures.next_day_seconds:8.2f} s   {figures.next_day_share:.1%} of that")
    say(f"peak memory              {figures.peak_gigabytes:8.2f} GB over all processes")
    return 0


def measure(root: Path, events: int, entities: int, days: int) -> Figures:
    """Make a project in `root`, materialize it through Feast, and say how long it took."""
    from limner.cli import stock_feast
    from limner.cli.commands.init import create
    from limner.feature_repo.project import Project
    from limner.workers.cluster import Cluster
    from limner.workers.history.served import served_history

    create(root, bare=True)
    (root / "specs" / "bench.yaml").write_text(SPECS)
    write_events(root / "events.parquet", events, entities, REACH + days)
    with peak_memory() as peak:
        begun = time.monotonic()
        stock_feast.run(root, ["apply"])
        project = Project.at(root / "feature_repo")
        with Cluster(project.settings) as cluster:
            list(cluster.map(str, range(2 * cluster.cpus)))  # the engine's own Cluster joins this one
            start = time.monotonic() - begun
            middle, end = START + timedelta(days=REACH), START + timedelta(days=REACH + days)
            backfill = _materialize(root, middle, end - timedelta(days=1))
            history = served_history(project.history("activity"))
            assert history is not None
            rows = _rows(history)
            next_day = _materialize(root, end - timedelta(days=1), end)
    return Figures(
        events=events,
        entities=entities,
        features=FEATURES,
        days=days,
        cores=len(os.sched_getaffinity(0)),
        start_seconds=start,
        backfill_seconds=backfill,
        backfill_rows=rows,
        next_day_seconds=next_day,
        next_day_share=next_day / backfill,
        peak_gigabytes=peak[0] / 1e9,
    )


def write_events(path: Path, events: int, entities: int, days: int) -> None:
    """Seeded events: any user at any time, amounts in cents, fifty categories."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(7)
    first = int(START.timestamp()) * 1_000_000
    instants = np.sort(first + rng.integers(0, days * 86_400_000_000, events))
    categories = pa.array([f"category {number:02d}" for number in range(50)])
    table = pa.table(
        {
            "user_id": rng.integers(0, entities, events),
            "happened_at": pa.array(instants).cast(pa.timestamp("us", tz="UTC")),
            "amount": np.round(rng.gamma(2, 20, events), 2),
            "category": pa.DictionaryArray.from_arrays(rng.integers(0, 50, events).astype(np.int32), categories).cast(
                pa.string()
            ),
        }
    )
    pq.write_table(table, path)


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Yield a list whose only item is the most memory (PSS, bytes) this process and its children held together."""
    import psutil

    peak = [0]
    stop = threading.Event()
    this = psutil.Process()

    def watch() -> None:
        while not stop.wait(0.25):
            total = 0
            for process in [this, *this.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except (psutil.NoSuchProcess, psutil.AccessDenied):
                    continue
            peak[0] = max(peak[0], total)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()


def _materialize(root: Path, start: datetime, end: datetime) -> float:
    from limner.cli import stock_feast

    begun = time.monotonic()
    stock_feast.run(root, ["materialize", start.isoformat(), end.isoformat()])
    return time.monotonic() - begun


def _rows(history: "History") -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(part.path).num_rows for part in history.parts())
