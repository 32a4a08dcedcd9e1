"""Feast's online API over the packed store, for views that specs do not declare and rows that are pushed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.types import Array, Bool, Bytes, Float64, Int64, Map, String, UnixTimestamp
from feast.value_type import ValueType

from limner.language.errors import LimnerError
from tests.feature_repo.handmade import repository

pytestmark = pytest.mark.filterwarnings("ignore")
SHOP = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
USER = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TYPES = {
    "n": (Int64, 2**53 + 1),
    "x": (Float64, 0.1),
    "s": (String, "ü\0"),
    "b": (Bool, False),
    "t": (UnixTimestamp, NOON),
    "ns": (Array(Int64), [1, -2]),
    "xs": (Array(Float64), [0.5]),
    "ss": (Array(String), ["a", ""]),
    "bs": (Array(Bool), [True, False]),
    "ts": (Array(UnixTimestamp), [NOON]),
    "m": (Map, {"ü": 0.1, "": -2.0}),
}


def handwritten(name: str, types: dict[str, Any], tags: dict[str, str] | None = None) -> FeatureView:
    return FeatureView(
        name=name,
        entities=[SHOP, USER],
        ttl=timedelta(0),
        schema=[
            Field(name="shop", dtype=String),
            Field(name="user_id", dtype=Int64),
            *(
                Field(name=each, dtype=kind, tags={"limner.values": "float"} if kind == Map else None)
                for each, (kind, _) in types.items()
            ),
        ],
        source=FileSource(name=f"{name}_source", path="../data/nowhere.parquet", timestamp_field="event_timestamp"),
        tags=tags,
    )


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    made = repository(tmp_path)
    made.apply([SHOP, USER, handwritten("mixed", TYPES)])
    return made


def frame(at: datetime = NOON, **changes: object) -> pd.DataFrame:
    values = {name: value for name, (_, value) in TYPES.items()} | changes
    return pd.DataFrame([{"shop": "é", "user_id": -7, **values, "event_timestamp": at}])


def read(store: FeatureStore, shop: str = "é", user: int = -7) -> dict[str, Any]:
    refs = [f"mixed:{name}" for name in TYPES]
    answer = store.get_online_features(refs, [{"shop": shop, "user_id": user}]).to_dict()
    return {name: answer[name][0] for name in TYPES}


def test_pushed_rows_of_every_type_come_back(store: FeatureStore) -> None:
    """Scalars and lists, under a key of two parts; another key is not found."""
    assert set(read(store).values()) == {None}
    store.write_to_online_store("mixed", frame())
    assert read(store) == {name: value for name, (_, value) in TYPES.items()}
    assert set(read(store, "e").values()) == {None}


def test_an_older_push_is_ignored(store: FeatureStore) -> None:
    """Late rows do not replace newer ones; the stock SQLite store lets them."""
    store.write_to_online_store("mixed", frame())
    store.write_to_online_store("mixed", frame(NOON - timedelta(microseconds=1), n=5))
    assert read(store)["n"] == 2**53 + 1
    store.write_to_online_store("mixed", frame(NOON + timedelta(microseconds=1), n=6))
    assert read(store)["n"] == 6


def test_event_timestamps_come_with_the_values(store: FeatureStore) -> None:
    """Exact to the microsecond."""
    at = NOON + timedelta(microseconds=3)
    store.write_to_online_store("mixed", frame(at))
    answer = store.get_online_features(["mixed:n"], [{"shop": "é", "user_id": -7}, {"shop": "x", "user_id": 0}])
    stamps = [vector.event_timestamps for vector in answer.proto.results][-1]
    assert stamps[0].ToDatetime(tzinfo=UTC) == at
    assert stamps[1].seconds == 0


def test_a_view_whose_columns_changed_starts_anew(store: FeatureStore) -> None:
    """Rows of another shape are never read as if they had the new one."""
    store.write_to_online_store("mixed", frame())
    fewer = {name: kind for name, kind in TYPES.items() if name != "x"}
    store.apply([handwritten("mixed", fewer)])
    store.write_to_online_store("mixed", frame(shop="é").drop(columns=["x"]).assign(user_id=8))
    refs = [f"mixed:{name}" for name in fewer]
    answer = store.get_online_features(refs, [{"shop": "é", "user_id": 8}, {"shop": "é", "user_id": -7}]).to_dict()
    assert answer["n"] == [2**53 + 1, None]


def test_a_type_without_a_place_is_refused(store: FeatureStore) -> None:
    """What cannot be held is said, with what can."""
    store.apply([handwritten("raw", {"data": (Bytes, b"")})])
    rows = pd.DataFrame([{"shop": "é", "user_id": 1, "data": b"x", "event_timestamp": NOON}])
    with pytest.raises(LimnerError, match="feature 'data' of view 'raw' has type"):
        store.write_to_online_store("raw", rows)


def test_rows_of_a_declared_view_wait_for_its_first_run(store: FeatureStore) -> None:
    """A view from specs has its types from specs: a push cannot come first."""
    store.apply([handwritten("declared", {"n": (Int64, 1)}, {"limner.fingerprint": "f"})])
    rows = pd.DataFrame([{"shop": "é", "user_id": 1, "n": 1, "event_timestamp": NOON}])
    with pytest.raises(LimnerError, match="run `feast materialize` first"):
        store.write_to_online_store("declared", rows)


def test_teardown_and_dropped_views_leave_no_rows(store: FeatureStore) -> None:
    """After `feast teardown` nothing is served."""
    store.write_to_online_store("mixed", frame())
    store.teardown()
    store.apply([SHOP, USER, handwritten("mixed", TYPES)])
    assert set(read(store).values()) == {None}
