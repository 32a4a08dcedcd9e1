"""A small real project for the tests that go through Feast: specs, events, and what brute force says about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = """
project: shop
provider: local
registry:
  registry_store_type: limner.feature_repo.registry_store.LimnerRegistryStore
  path: ../data/registry.db
  cache_ttl_seconds: 0
  serve_features_while_materializing: true
online_store: ONLINE
offline_store: {type: limner.feature_repo.offline_store.LimnerOfflineStore}
batch_engine: {type: limner.feature_repo.engine.LimnerEngine, shards: 2}
entity_key_serialization_version: 3
"""
OWN = "{type: limner.feature_repo.online_store.LimnerOnlineStore}"
DEFINITIONS = """
from pathlib import Path

from limner.feature_repo.compile import objects

globals().update(objects(Path(__file__).resolve().parent.parent))
"""
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: events
path: events/*.parquet
entity: user
event_timestamp: at
---
feature_view: activity
entity: user
source: events
every: 1d
features:
  orders: {count: "*", over: [7d]}
  spend: {sum: amount, over: [7d]}
  favourite: {top: 2, of: kind, over: 30d}
  newest: {last: kind}
  last_order: {last: event_timestamp}
  dear: {max: big}
---
profile: everything
features: [activity]
"""


@dataclass(frozen=True)
class Event:
    """A row of the source."""

    user: int
    at: datetime
    amount: float
    kind: str

    @property
    def big(self) -> bool:
        return self.amount > 50


def events(count: int = 1500, users: int = 40, days: int = 60, seed: int = 0) -> list[Event]:
    """Random events from FIRST on; users above 30 fall silent after ten days."""
    generator = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        user = int(generator.integers(1, users + 1))
        at = FIRST + timedelta(microseconds=int(generator.integers(0, (10 if user > 30 else days) * 86_400_000_000)))
        kind = str(generator.choice(["book", "game", "plant", "ünïcode"]))
        found.append(Event(user, at, round(float(generator.gamma(2, 20)), 2), kind))
    return sorted(found, key=lambda event: event.at)


def make_project(root: Path, rows: Sequence[Event], online: str = OWN, specs: str = SPECS) -> Path:
    """Write a project; returns its feature repository."""
    repo = root / "feature_repo"
    repo.mkdir(parents=True)
    (repo / "feature_store.yaml").write_text(CONFIG.replace("ONLINE", online))
    (repo / "definitions.py").write_text(DEFINITIONS)
    (root / "specs").mkdir()
    (root / "specs" / "shop.yaml").write_text(specs)
    write_events(root, "a", rows)
    return repo


def write_events(root: Path, name: str, rows: Sequence[Event]) -> Path:
    """Write a file of the source."""
    path = root / "events" / f"{name}.parquet"
    path.parent.mkdir(exist_ok=True)
    table = pa.table(
        {
            "user_id": pa.array([row.user for row in rows], pa.int64()),
            "at": pa.array([row.at for row in rows], pa.timestamp("us", tz="UTC")),
            "amount": pa.array([row.amount for row in rows], pa.float64()),
            "kind": [row.kind for row in rows],
            "big": [row.big for row in rows],
        }
    )
    pq.write_table(table, path)
    return path


def expected(rows: Sequence[Event], user: int, at: datetime) -> dict[str, object] | None:
    """Brute force: the view's values of a user at the newest midnight that is not after `at`."""
    import math

    tick = at.replace(hour=0, minute=0, second=0, microsecond=0)
    seen = [row for row in rows if row.user == user and row.at < tick]
    if not seen:
        return None
    week = [row for row in seen if row.at >= tick - 7 * DAY]
    month = [row.kind for row in seen if row.at >= tick - 30 * DAY]
    ranked = sorted(set(month), key=lambda kind: (-month.count(kind), kind.encode()))
    return {
        "orders_7d": len(week),
        "spend_7d": math.fsum(row.amount for row in week),
        "favourite": ranked[:2] or None,
        "newest": seen[-1].kind,
        "last_order": seen[-1].at,
        "dear": max(row.big for row in seen),
    }
