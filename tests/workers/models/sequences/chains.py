"""A small world of shoppers whose next category follows from the one before, and not from what they mostly buy."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.durations import parse_instant
from limner.language.repo import Specs
from limner.workers.models.fitting import Fitted
from tests.workers.models.world import fitted as fitted_of
from tests.workers.models.world import specs as specs_of

DAY = 86_400_000_000
FIRST = parse_instant("2026-01-01")
CUT = parse_instant("2026-05-01")
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: visits
path: visits/*.parquet
entity: user
event_timestamp: at
created_timestamp: written
---
model: habits
entity: user
sequence:
  item: category
  from: visits
  columns: [channel]
  where: amount > 0
  length: 8
  dim: 16
  least: 3
  epochs: 6
cut_off: 2026-05-01
refit: 30d
---
feature_view: behaviour
entity: user
source: visits
every: 1d
features:
  state: {encode: habits, over: 30d}
  likely: {next: habits, k: 3, over: 30d}
  visits: {count: "*", over: 7d}
"""


@dataclass(frozen=True)
class Visit:
    """A row of the source; instants in µs."""

    user: int
    at: int
    written: int
    category: str | None
    channel: str | None = "web"
    amount: float = 1.0


def visits(seed: int = 0, users: int = 80, days: int = 150, categories: int = 12) -> list[Visit]:
    """Each category leads to one of two others, which one the channel says; a tenth of the time to any."""
    random = np.random.default_rng(seed)
    found = []
    for user in range(1, users + 1):
        category, day = int(random.integers(categories)), float(random.exponential(2))
        while day < days:
            channel = "web" if random.random() < 0.5 else "shop"
            at = FIRST + int(day * DAY)
            late = int(random.integers(0, 2 * DAY)) if random.random() < 0.1 else 0
            amount = -1.0 if random.random() < 0.05 else 1.0
            found.append(Visit(user, at, at + late, f"c{category}", channel, amount))
            if amount > 0:
                step = 5 if channel == "web" else 7
                category = (category + step) % categories if random.random() > 0.1 else int(random.integers(categories))
            day += float(random.exponential(2))
    return sorted(found, key=lambda each: (each.at, each.user))


def write(root: Path, rows: Sequence[Visit], name: str = "a") -> None:
    """Write a file of the source."""
    (root / "visits").mkdir(parents=True, exist_ok=True)
    time = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "user_id": pa.array([row.user for row in rows], pa.int64()),
            "at": pa.array([row.at for row in rows], pa.int64()).cast(time),
            "written": pa.array([row.written for row in rows], pa.int64()).cast(time),
            "category": pa.array([row.category for row in rows], pa.string()),
            "channel": pa.array([row.channel for row in rows], pa.string()),
            "amount": pa.array([row.amount for row in rows], pa.float64()),
        }
    )
    pq.write_table(table, root / "visits" / f"{name}.parquet")


def specs(root: Path, text: str = SPECS) -> Specs:
    """The specs, held against the files below `root`."""
    return specs_of(root, text)


def fitted(root: Path, found: Specs, cut_off: int = CUT, *, shards: int = 2) -> Fitted:
    """Fit one version."""
    return fitted_of(root, found, cut_off, "habits", shards=shards)
