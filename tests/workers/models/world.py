"""A small world of users who order and return things, with a model of who stops ordering."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.columns import check
from limner.language.durations import parse_instant
from limner.language.repo import Specs, load_texts
from limner.workers.context import RunContext
from limner.workers.ledger import Ledger
from limner.workers.models.fitting import Fitted, fit
from limner.workers.report import silent
from limner.workers.sources.describe import describe
from limner.workers.tasks import InProcess

DAY = 86_400_000_000
FIRST = parse_instant("2026-01-01")
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: orders
path: orders/*.parquet
entity: user
event_timestamp: at
created_timestamp: written
---
feature_view: spend
entity: user
source: orders
every: 1d
features:
  orders: {count: "*", over: [7d, 30d]}
  amount: {sum: amount, over: 30d}
  recent: {mean: amount, over: 7d}
---
feature_view: visits
entity: user
source: orders
every: event
features: {gifts: {count: "*", where: gift, over: 14d}}
---
model: churn
entity: user
propensity:
  features: [{spend: [orders, recent]}, visits]
  label: {count: "*", from: orders, next: 14d, is: "= 0"}
  population: {count: "*", from: orders, over: 30d, is: "> 0"}
  learner: LEARNER
  every: 7d
cut_off: 2026-05-01
refit: 30d
---
feature_view: outlook
entity: user
views: [spend, visits]
every: 1d
features:
  churn: {predict: churn}
  likely: {expression: churn > 0.5}
---
profile: everything
features: [spend, outlook]
"""


@dataclass(frozen=True)
class Order:
    """A row of the source; instants in µs."""

    user: int
    at: int
    written: int
    amount: float | None
    gift: bool


def orders(seed: int = 0, users: int = 60, days: int = 150) -> list[Order]:
    """Users order at rates of their own, less after a day at which some lose interest; rows come up to 3 days late."""
    random = np.random.default_rng(seed)
    found = []
    for user in range(1, users + 1):
        rate, ends = random.gamma(2.0, 0.15), random.integers(20, 2 * days)
        day = float(random.exponential(1 / rate))
        while day < min(days, ends):
            at = FIRST + int(day * DAY)
            late = int(random.integers(0, 3 * DAY)) if random.random() < 0.3 else 0
            amount = None if random.random() < 0.05 else round(float(random.gamma(2, 20)), 2)
            found.append(Order(user, at, at + late, amount, bool(random.random() < 0.3)))
            day += float(random.exponential(1 / rate))
    return sorted(found, key=lambda each: (each.at, each.user))


def write(root: Path, rows: Sequence[Order], name: str = "a", channels: Callable[[Order], str] | None = None) -> None:
    """Write a file of the source, perhaps with a column `channel`."""
    (root / "orders").mkdir(parents=True, exist_ok=True)
    time = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "user_id": pa.array([row.user for row in rows], pa.int64()),
            "at": pa.array([row.at for row in rows], pa.int64()).cast(time),
            "written": pa.array([row.written for row in rows], pa.int64()).cast(time),
            "amount": pa.array([row.amount for row in rows], pa.float64()),
            "gift": pa.array([row.gift for row in rows], pa.bool_()),
        }
    )
    if channels is not None:
        table = table.append_column("channel", pa.array([channels(row) for row in rows], pa.string()))
    pq.write_table(table, root / "orders" / f"{name}.parquet")


def specs(root: Path, text: str = SPECS, learner: str = "logistic") -> Specs:
    """The specs, held against the files below `root`."""
    found = load_texts({"specs.yaml": text.replace("LEARNER", learner)})
    check(found, {name: describe(source, root) for name, source in found.sources.items()})
    return found


def context(shards: int = 2) -> RunContext:
    """A run in this process that remembers nothing."""

    class Memory:
        def task_done(self, *_: Any) -> bool:
            return False

        def record_task(self, *_: Any) -> None: ...
        def quarantine(self, *_: Any) -> None: ...

    return RunContext(InProcess(), cast("Any", None), silent, cast("Ledger", Memory()), "run", shards=shards)


def fitted(
    root: Path, found: Specs, cut_off: int, name: str = "churn", *, shards: int = 2, allow: bool = False,
    run: RunContext | None = None,
) -> Fitted:  # fmt: skip
    """Fit one version."""
    return fit(found, name, cut_off, root, root / "data", run or context(shards), allow_suspicious=allow)
