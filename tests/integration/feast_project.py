"""A small real project for the tests that go through Feast: specs, events, and what brute force says about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAY = timedelta(days=1)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = """
project: shop
provider: limner.feature_repo.provider.LimnerProvider
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
FEATURES = ["orders_7d", "spend_7d", "favourite", "newest", "last_order", "dear"]  # of the view of SPECS
REFS = [f"activity:{name}" for name in FEATURES]
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


def declared(root: Path, specs: str) -> Path:
    """A project of these specs below `root`, with no data yet; returns its folder of Feast."""
    repo = root / "feature_repo"
    repo.mkdir(parents=True)
    (repo / "feature_store.yaml").write_text(CONFIG.replace("ONLINE", OWN))
    (repo / "definitions.py").write_text(DEFINITIONS)
    (root / "specs").mkdir()
    (root / "specs" / "shop.yaml").write_text(specs)
    return repo


def apply(repo: Path) -> Any:
    """Apply as Feast does and return the store."""
    from feast import FeatureStore

    from limner.feature_repo.apply import apply as apply_plan
    from limner.feature_repo.plan import plan

    apply_plan(plan(repo.parent))
    return FeatureStore(repo_path=str(repo))


def online(store: Any, users: list[int]) -> list[dict[str, Any] | None]:
    """What `get_online_features` answers, one dict a user; None for a user it does not know."""
    answer = store.get_online_features(REFS, [{"user_id": user} for user in users]).to_dict()
    rows = [{name: answer[name][n] for name in FEATURES} for n in range(len(users))]
    return [None if row["orders_7d"] is None else row for row in rows]


def in_seconds(row: dict[str, Any] | None) -> dict[str, Any] | None:
    """Feast's online timestamps count whole seconds."""
    return None if row is None else row | {"last_order": row["last_order"].replace(microsecond=0)}


def history_is_right(store: Any, asked: list[tuple[int, datetime]], rows: Sequence[Event]) -> None:
    """`get_historical_features` equals brute force."""
    import pandas as pd

    frame = pd.DataFrame({"user_id": [u for u, _ in asked], "event_timestamp": [t for _, t in asked]})
    table = store.get_historical_features(frame, REFS).to_arrow().select(FEATURES).to_pylist()
    for (user, at), got in zip(asked, table, strict=True):
        assert got == (expected(rows, user, at) or dict.fromkeys(FEATURES)), (user, at)
