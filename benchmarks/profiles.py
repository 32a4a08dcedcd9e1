"""Profiles as a recommender reads them (20 scalars, a vector of 384), and Feast stores that hold this view of them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.language.models import LogicalType
from limner.workers.online.pack import Column
from limner.workers.online.schema import ViewSchema

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

VIEW = "shopper"
SERVICE = "shoppers"
KEY = "user_id"
DIM = 384
FIRST = datetime(2026, 1, 5, tzinfo=UTC)
_COUNTS: dict[LogicalType, int] = {"int": 8, "float": 8, "string": 2, "bool": 1, "timestamp": 1}
SCALARS: dict[str, LogicalType] = {f"{kind}_{n}": kind for kind, count in _COUNTS.items() for n in range(count)}
_SECOND = 1_000_000  # µs


def schema() -> ViewSchema:
    """How Limner packs them."""
    columns = [Column(name, kind) for name, kind in SCALARS.items()]
    return ViewSchema(VIEW, "bench", ((KEY, "int"),), (*columns, Column("taste", "float", dim=DIM)))


def profile_table(count: int, version: int = 0) -> pa.Table:
    """`count` profiles, keys 0, 1, 2, ...; another `version` has other values and lies that many hours later.

    One scalar in ten is null. Instants are whole seconds: Feast keeps no fraction of a feature's.
    """
    random = np.random.default_rng(version)
    columns: dict[str, Any] = {KEY: pa.array(np.arange(count, dtype=np.int64))}
    for name, kind in SCALARS.items():
        numbers = random.integers(0, 1_000_000_000, count)
        values = {
            "int": pa.array,
            "float": lambda n: pa.array(n / 7),
            "string": lambda n: pa.array([f"category {value % 1000}" for value in n]),
            "bool": lambda n: pa.array(n % 2 == 0),
            "timestamp": lambda n: pa.array(n * _SECOND).cast(pa.timestamp("us", tz="UTC")),
        }[kind](numbers)
        known = pa.array(random.random(count) >= 0.1)
        columns[name] = pc.if_else(known, values, pa.scalar(None, values.type))
    vectors = random.standard_normal(count * DIM, dtype=np.float32)
    columns["taste"] = pa.ListArray.from_arrays(np.arange(count + 1, dtype=np.int32) * DIM, vectors)
    at = FIRST + timedelta(hours=version)
    columns["event_timestamp"] = pa.array([at] * count, pa.timestamp("us", tz="UTC"))
    return pa.table(columns)


def feast_store(folder: Path, online_store: Mapping[str, Any]) -> "FeatureStore":
    """Feast in `folder` with the view applied, on the online store that is given as in feature_store.yaml."""
    from feast import FeatureStore, RepoConfig

    folder.mkdir(parents=True)
    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store=dict(online_store),
        entity_key_serialization_version=3,
        repo_path=folder,
    )
    store = FeatureStore(config=config)
    store.apply(definitions(folder))
    return store


def definitions(folder: Path) -> list[Any]:
    """What is applied of the view: entity, source and view, and a feature service of its features."""
    from feast import Entity, FeatureService, FeatureView, Field, FileSource
    from feast.types import Array, Bool, Float32, Float64, Int64, String, UnixTimestamp
    from feast.value_type import ValueType

    kinds = {"int": Int64, "float": Float64, "string": String, "bool": Bool, "timestamp": UnixTimestamp}
    user = Entity(name="user", join_keys=[KEY], value_type=ValueType.INT64)
    fields = [Field(name=name, dtype=kinds[kind]) for name, kind in SCALARS.items()]
    source = FileSource(name="rows", path=str(folder / "rows.parquet"), timestamp_field="event_timestamp")
    view = FeatureView(
        name=VIEW,
        entities=[user],
        ttl=timedelta(0),
        schema=[Field(name=KEY, dtype=Int64), *fields, Field(name="taste", dtype=Array(Float32))],
        source=source,
    )
    return [user, source, view, FeatureService(name=SERVICE, features=[view])]


def features() -> list[str]:
    """What a request for whole profiles names."""
    return [f"{VIEW}:{name}" for name in (*SCALARS, "taste")]


def stock_write(store: "FeatureStore", view: "FeatureView", rows: pa.Table) -> None:
    """What Feast's own engine does with rows it materializes: to protobuf, then the store's `online_write_batch`."""
    from feast.utils import _convert_arrow_to_proto

    keys = {entity.name: entity.dtype.to_value_type() for entity in view.entity_columns}
    online = store._get_provider().online_store
    online.online_write_batch(store.config, view, _convert_arrow_to_proto(rows, view, keys), lambda _rows: None)
