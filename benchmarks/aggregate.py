"""Events turned into windowed history and online values, through Feast's materialize."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from limner.benchmarks.events import write_events
from limner.benchmarks.memory import peak_memory
from limner.benchmarks.project import BenchProject
from limner.benchmarks.report import Report

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


def run(folder: Path, events: int = 1_000_000, entities: int = 20_000, days: int = 90) -> Report:
    """Materialize ten windowed features over a daily backfill, then the next single day."""
    from limner.workers.cluster import Cluster

    report = Report("aggregate", {"events": events, "entities": entities, "days": days})
    project = BenchProject(folder / "bench", SPECS)
    write_events(project.root / "events.parquet", events, entities, START, REACH + days)
    middle, end = START + timedelta(days=REACH), START + timedelta(days=REACH + days)
    with peak_memory() as peak:
        project.apply()
        with Cluster(project.project().settings) as cluster:
            list(cluster.map(str, range(2 * cluster.cpus)))  # the engine's own Cluster joins this one
            backfill = project.materialize(middle, end - timedelta(days=1))
            next_day = project.materialize(end - timedelta(days=1), end)
    report.measure(f"{days} days back", "s", [backfill])
    report.measure("the next day", "s", [next_day])
    report.measure("peak memory, all processes", "GB", [peak[0] / 1e9])
    report.compare("the next day over the backfill", [next_day], [backfill], target=0.05, better="less")
    return report
