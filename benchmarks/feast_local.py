"""Feast's own local engine computing the twenty invertible scalars: the other contender of `limner bench aggregate`.

Its `Aggregation(time_window=...)` raises "not supported in the local compute engine", and an aggregation without a
window loses the timestamp that Feast then wants to write online. What is left to its user is a BatchFeatureView with a
pandas function that computes the values of all windows as of one instant from 90 days of rows. One `materialize` is one
instant: a history takes one run an instant.
"""

import contextlib
import io
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from limner.benchmarks.project import quiet

WINDOWS = (7, 30, 90)  # days
REACH = timedelta(days=max(WINDOWS))
VIEW = "activity"


def transformation() -> Callable[..., Any]:
    """The user's function: rows of 90 days to the twenty scalars as of the midnight after the newest row."""
    import pandas as pd

    def twenty(rows: pd.DataFrame) -> pd.DataFrame:  # Feast refuses other annotations
        end = rows["happened_at"].max().floor("D") + pd.Timedelta(days=1)
        rows = rows.assign(large_amount=rows["amount"].where(rows["amount"] > 50))
        found = []
        for days in (7, 30, 90):
            inside = rows[rows["happened_at"] >= end - pd.Timedelta(days=days)]
            values = inside.groupby("user_id").agg(
                events=("amount", "size"),
                spend=("amount", "sum"),
                mean_spend=("amount", "mean"),
                items=("quantity", "sum"),
                large=("large_amount", "count"),
                large_spend=("large_amount", "sum"),
            )
            if days > 7:
                values["large_share"] = values["large_spend"] / values["spend"]
            found.append(values.add_suffix(f"_{days}d"))
        whole = found[2].join(found[:2])
        empty = [name for name in whole.columns if not name.startswith(("mean", "large_share"))]
        whole[empty] = whole[empty].fillna(0)
        counts = [name for name in empty if "spend" not in name]
        whole[counts] = whole[counts].astype("int64")
        whole["happened_at"] = end
        return whole.reset_index()

    return twenty


def columns() -> dict[str, bool]:
    """The twenty scalars by name; whether each is a whole number."""
    names = {"events": True, "spend": False, "mean_spend": False, "items": True, "large": True, "large_spend": False}
    found = {f"{name}_{days}d": whole for name, whole in names.items() for days in WINDOWS}
    return found | {f"large_share_{days}d": False for days in WINDOWS[1:]}


class FeastLocal:
    """A Feast repository as its own template makes it: registry file, SQLite, default offline store, local engine."""

    def __init__(self, root: Path, events: Path) -> None:
        root.mkdir(parents=True)
        self.root, self.events = root, events
        (root / "feature_store.yaml").write_text(
            yaml.safe_dump(
                {
                    "project": "bench",
                    "provider": "local",
                    "registry": "registry.db",
                    "online_store": {"type": "sqlite", "path": "online.db"},
                    "offline_store": {"type": "file"},
                    "batch_engine": {"type": "local"},
                    "entity_key_serialization_version": 3,
                }
            )
        )

    def store(self) -> Any:
        """Feast over this repository, with nothing cached from before."""
        with quiet():
            from feast import FeatureStore

            return FeatureStore(repo_path=str(self.root))

    def apply(self) -> None:
        """Declare the entity and the view."""
        from feast import BatchFeatureView, Entity, Field, FileSource, ValueType
        from feast.types import Float64, Int64

        with quiet():
            user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
            source = FileSource(name="events", path=str(self.events), timestamp_field="happened_at")
            schema = [Field(name=name, dtype=Int64 if whole else Float64) for name, whole in columns().items()]
            view = BatchFeatureView(
                name=VIEW,
                mode="pandas",
                entities=[user],
                schema=[Field(name="user_id", dtype=Int64), *schema],
                source=source,
                udf=transformation(),
                udf_string="twenty",
                online=True,
            )
            self.store().apply([user, source, view])

    def materialize(self, instant: datetime) -> float:
        """Compute the values as of midnight `instant` and write them online; returns seconds."""
        begun = time.perf_counter()
        with quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.store().materialize(instant - REACH, instant - timedelta(microseconds=1), feature_views=[VIEW])
        return time.perf_counter() - begun


def online(store: Any, users: Iterable[int]) -> dict[str, list[Any]]:
    """The twenty scalars of users as any Feast store serves them; None where it has no value."""
    with quiet():
        asked = [{"user_id": user} for user in users]
        found = store.get_online_features([f"{VIEW}:{name}" for name in columns()], asked).to_dict()
    return {name: found[name] for name in columns()}
