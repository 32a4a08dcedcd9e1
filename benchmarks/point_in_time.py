"""Three ways to join features to entity rows as of each row's instant: Limner's, DuckDB's bare, Feast's default."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from limner.benchmarks.histories import MadeView, parts
from limner.benchmarks.project import BenchProject, quiet

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from feast import Entity, FeatureStore, FeatureView

_KEY, _TIMESTAMP = "user_id", "event_timestamp"


def limner(root: Path, histories: Path, views: Sequence[MadeView]) -> "Callable[[pd.DataFrame], Any]":
    """`get_historical_features` over Limner's offline store; returns the job, nothing is read yet."""
    from limner.feature_repo.compile import VIEW_TAG

    store = BenchProject(root, "").store()
    _apply(store, [_feast_view(view, histories / view.name, {VIEW_TAG: view.name}) for view in views])
    return lambda rows: store.get_historical_features(rows, _references(views))


def feast_default(root: Path, files: Path, views: Sequence[MadeView], rows: Path, answer: Path) -> Callable[[], float]:
    """`get_historical_features(...).to_arrow()` of the entity rows in the file `rows`, over Feast's default store.

    A file a view in `files`. What is returned does it once, says how many seconds it took, and writes to `answer`.
    """
    import pandas as pd
    import pyarrow.parquet as pq

    with quiet():
        from feast import FeatureStore
    root.mkdir()
    (root / "feature_store.yaml").write_text(
        yaml.safe_dump(
            {
                "project": "bench",
                "provider": "local",
                "registry": "registry.db",
                "offline_store": {"type": "file"},
                "entity_key_serialization_version": 3,
            }
        )
    )
    store = FeatureStore(repo_path=str(root))
    _apply(store, [_feast_view(view, files / f"{view.name}.parquet", {}) for view in views])
    frame = pd.read_parquet(rows)

    def once() -> float:
        begun = time.perf_counter()
        with quiet():
            table = store.get_historical_features(frame, _references(views)).to_arrow()
        seconds = time.perf_counter() - begun
        if not answer.exists():
            pq.write_table(table, answer)
        return seconds

    return once


def duckdb_query(histories: Path, views: Sequence[MadeView]) -> str:
    """One query over the histories' files: an ASOF LEFT JOIN a view to `entities`. Rows come in any order."""
    picked, joins = ["entities.*"], []
    for view in views:
        files = ", ".join(f"'{path}'" for path in parts(histories / view.name))
        picked += [f"{view.name}.{name}" for name in view.columns]
        joins.append(
            f"ASOF LEFT JOIN read_parquet([{files}]) {view.name} ON entities.{_KEY} = {view.name}.{_KEY} "
            f"AND entities.{_TIMESTAMP} >= {view.name}.{_TIMESTAMP}"
        )
    return f"SELECT {', '.join(picked)} FROM entities {' '.join(joins)}"


def duckdb_bare(query: str, rows: "pd.DataFrame", take: "Callable[[Any], Any]") -> Any:
    """Run the query with DuckDB's defaults; `take` makes of its result what is wanted."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("entities", rows)
        return take(connection.sql(query))


def unequal(one: "pa.Table", other: "pa.Table") -> list[str]:
    """Columns of `one` that `other`, whose rows may have another order, has not or has otherwise."""
    import pyarrow.compute as pc

    order = pc.sort_indices(other.column("label"))
    found = []
    for name in one.column_names:
        mine = one.column(name)
        same = name in other.column_names and len(one) == len(other)
        if same:
            same = other.column(name).take(order).cast(mine.type).equals(mine)
        if not same:
            found.append(name)
    return found


def write_files(histories: Path, views: Sequence[MadeView], target: Path) -> None:
    """Each history as one Parquet file, with PyArrow's defaults, for a store that reads one file a view."""
    import pyarrow.parquet as pq

    target.mkdir()
    for view in views:
        writer = None
        for part in parts(histories / view.name):
            table = pq.read_table(part)
            writer = writer or pq.ParquetWriter(target / f"{view.name}.parquet", table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()


def _references(views: Sequence[MadeView]) -> list[str]:
    return [f"{view.name}:{name}" for view in views for name in view.columns]


def _apply(store: "FeatureStore", views: "Sequence[FeatureView]") -> None:
    with quiet():
        store.apply([_user(), *views])


def _user() -> "Entity":
    from feast import Entity, ValueType

    return Entity(name="user", join_keys=[_KEY], value_type=ValueType.INT64)


def _feast_view(view: MadeView, path: Path, tags: dict[str, str]) -> "FeatureView":
    import pyarrow as pa
    from feast import FeatureView, Field, FileSource
    from feast.types import Array, Float32, Float64, Int64, String, UnixTimestamp

    scalars = {pa.float64(): Float64, pa.int64(): Int64, pa.string(): String}
    scalars[pa.timestamp("us", tz="UTC")] = UnixTimestamp
    types = {name: scalars.get(kind, Array(Float32)) for name, kind in view.columns.items()}
    return FeatureView(
        name=view.name,
        entities=[_user()],
        ttl=timedelta(0),
        schema=[Field(name=_KEY, dtype=Int64), *(Field(name=name, dtype=each) for name, each in types.items())],
        source=FileSource(name=f"{view.name}_rows", path=str(path), timestamp_field=_TIMESTAMP, tags=tags),
        tags=tags,
    )
