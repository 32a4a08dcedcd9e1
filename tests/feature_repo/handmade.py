"""A Feast repository over histories written by hand: what the offline store reads, without a run of the engine."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.types import Array, Float32, Float64, Int64, String
from feast.value_type import ValueType

from limner.workers.history.manifest import History, Segment
from limner.workers.history.served import serve

STAMP = pa.timestamp("us", tz="UTC")
DAY = 86_400_000_000
CONFIG = """
project: handmade
provider: local
registry:
  registry_store_type: limner.feature_repo.registry_store.LimnerRegistryStore
  path: ../data/registry.db
  cache_ttl_seconds: 60
  serve_features_while_materializing: true
online_store: {type: limner.feature_repo.online_store.LimnerOnlineStore}
offline_store: {type: limner.feature_repo.offline_store.LimnerOfflineStore}
batch_engine: {type: limner.feature_repo.engine.LimnerEngine}
entity_key_serialization_version: 3
"""
USER = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
FEATURES = [
    Field(name="spend", dtype=Float64),
    Field(name="orders", dtype=Int64),
    Field(name="city", dtype=String),
    Field(name="taste", dtype=Array(Float32)),
]


def repository(root: Path) -> FeatureStore:
    """An empty repository."""
    repo = root / "feature_repo"
    repo.mkdir(parents=True)
    (repo / "feature_store.yaml").write_text(CONFIG)
    return FeatureStore(repo_path=str(repo))


def view(name: str, *, entity: Entity = USER, tags: dict[str, str] | None = None) -> FeatureView:
    """A view as the compiler makes it."""
    key = Field(name=entity.join_key, dtype=Int64 if entity.value_type == ValueType.INT64 else String)
    return FeatureView(
        name=name,
        entities=[entity],
        ttl=timedelta(0),
        schema=[key, *FEATURES],
        source=FileSource(
            name=f"{name}_history",
            path=f"../data/history/{name}",
            timestamp_field="event_timestamp",
            tags={"limner.view": name},
        ),
        tags={"limner.view": name, **(tags or {})},
    )


def history_rows(rows: Sequence[tuple[object, int, float | None]], key: str = "user_id") -> pa.Table:
    """(key, event timestamp in µs, spend); the other features follow from the row."""
    keys = [row[0] for row in rows]
    return pa.table(
        {
            key: pa.array(keys, pa.int64() if not rows or isinstance(keys[0], int) else pa.string()),
            "spend": pa.array([row[2] for row in rows], pa.float64()),
            "orders": pa.array([row[1] % 7 for row in rows], pa.int64()),
            "city": pa.array([f"c{row[1] % 5}" for row in rows], pa.string()),
            "taste": pa.array([[float(row[1] % 3), 1.0] for row in rows], pa.list_(pa.float32())),
            "event_timestamp": pa.array([row[1] for row in rows], pa.int64()).cast(STAMP),
        }
    )


def write_history(
    root: Path,
    name: str,
    segments: Sequence[tuple[int, int, pa.Table]],
    base: pa.Table | None = None,
    fingerprint: str = "f1",
) -> History:
    """Write segments (after, until, rows) and serve them."""
    folder = root / "data" / "history" / name
    history = History(folder / fingerprint)
    for number, (after, until, table) in enumerate(segments):
        part = history.folder / f"s{number}"
        part.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, part / "0.parquet")
        bases = []
        if number == 0 and base is not None:
            pq.write_table(base, part / "base.parquet")
            bases = [f"s{number}/base.parquet"]
        history.commit(Segment(after=after, until=until, files=(f"s{number}/0.parquet",)), bases)
    serve(folder, fingerprint)
    return history
