"""Request views through the real Feast: offline, online and without it, the same values to the last bit."""

import math
import random
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureStore

import limner
from limner.feature_repo.apply import apply
from limner.feature_repo.plan import plan
from tests.integration.feast_project import FIRST, SPECS, events, make_project

REQUESTS = """
---
feature_view: habits
entity: user
source: events
every: event
features:
  spend: {sum: amount, over: [7d]}
  kinds: {distinct: kind}
---
request_view: now
description: What only the moment tells.
entity: user
owner: growth@example.org
request: {now: timestamp, basket: float, items: int, word: string, gift: bool}
features:
  days_since_order: {age: activity.last_order, at: now}
  hours_since_order: {age: activity.last_order, at: now, unit: h}
  above_usual: {expression: basket > activity.spend_7d}
  relative: {expression: "activity.spend_7d / habits.spend_7d"}
  stale: {expression: "days_since_order > 3 and not gift"}
  same: {expression: "word = activity.newest or items >= habits.kinds"}
---
request_view: shares
entity: user
features:
  per_order: {expression: "activity.spend_7d / activity.orders_7d"}
---
profile: momentary
features: [habits, now, shares: [per_order]]
"""
UNTIL = FIRST + timedelta(days=40)


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with request views, applied and materialized."""
    made = make_project(tmp_path_factory.mktemp("shop"), events(400, users=20), specs=SPECS + REQUESTS)
    apply(plan(made.parent))
    FeatureStore(repo_path=str(made)).materialize(FIRST, UNTIL)
    return made


@pytest.fixture
def store(repo: Path) -> FeatureStore:
    return FeatureStore(repo_path=str(repo))


@pytest.fixture
def own(repo: Path) -> Iterator[limner.Store]:
    made = limner.Store(repo)
    yield made
    made.close()


def requests(count: int = 60) -> list[dict[str, Any]]:
    """Keys and requests, with gaps, strangers and instants of odd microseconds."""
    rng = random.Random(5)

    def maybe(value: Any) -> Any:
        return value if rng.random() < 0.9 else None

    return [
        {
            "user_id": rng.randrange(1, 25),
            "now": maybe(UNTIL + timedelta(microseconds=rng.randrange(10**12))),
            "basket": maybe(rng.choice([0.0, 12.5, 80, 1e9])),
            "items": maybe(rng.randrange(1, 6)),
            "word": maybe(rng.choice(["book", "game", "other"])),
            "gift": maybe(rng.random() < 0.5),
        }
        for _ in range(count)
    ]


def plain(value: Any) -> Any:
    return None if value is None or value is pd.NaT or (isinstance(value, float) and math.isnan(value)) else value


def offline(store: FeatureStore, rows: list[dict[str, Any]], **options: Any) -> list[dict[str, Any]]:
    frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=_DTYPES[name]) for name in rows[0]})
    frame["event_timestamp"] = pd.Timestamp(UNTIL)
    service = store.get_feature_service("momentary")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table = store.get_historical_features(frame, service, **options).to_arrow()
    return table.to_pylist()


_DTYPES = {"user_id": "int64", "now": "datetime64[us, UTC]", "basket": "float64", "items": "Int64",
           "word": "object", "gift": "object"}  # fmt: skip
NAMES = ["days_since_order", "hours_since_order", "above_usual", "relative", "stale", "same", "per_order"]


def test_training_sets_feast_and_the_store_agree(store: FeatureStore, own: limner.Store) -> None:
    rows = requests()
    trained = offline(store, rows)
    service = store.get_feature_service("momentary")
    served = store.get_online_features(service, rows).to_dict()
    fields = [{name: value for name, value in row.items() if name != "user_id"} for row in rows]
    table = own.read("momentary", [row["user_id"] for row in rows], request=fields).to_pylist()
    seen = 0
    for position, row in enumerate(rows):
        expected = {name: trained[position][name] for name in NAMES}
        seen += any(value is not None for value in expected.values())
        assert {name: plain(served[name][position]) for name in NAMES} == expected
        assert {name: table[position][name] for name in NAMES} == expected
        alone = own.profile("momentary", row["user_id"], request=fields[position])
        assert {name: (alone or dict.fromkeys(NAMES))[name] for name in NAMES} == (
            expected if alone else dict.fromkeys(NAMES)
        )
    assert seen > 40


def test_the_values_are_what_they_say(store: FeatureStore, own: limner.Store) -> None:
    """Written out in plain Python from stored values."""
    for row in requests(25):
        stored = own.profile("activity", row["user_id"])
        habits = own.profile("habits", row["user_id"])
        if stored is None or habits is None:
            continue
        request = {name: value for name, value in row.items() if name != "user_id"}
        found = own.profile("now", row["user_id"], request=request)
        assert found is not None
        age = None if row["now"] is None else (row["now"] - stored["last_order"]) / timedelta(days=1)
        assert found["days_since_order"] == age
        usual = stored["spend_7d"]
        assert found["above_usual"] == (None if row["basket"] is None else row["basket"] > usual)
        assert found["relative"] == (None if habits["spend_7d"] == 0 else usual / habits["spend_7d"])


def test_full_names_tell_views_apart(store: FeatureStore) -> None:
    rows = requests(8)
    trained = offline(store, rows, full_feature_names=True)
    service = store.get_feature_service("momentary")
    served = store.get_online_features(service, rows, full_feature_names=True).to_dict()
    for name in ("now__relative", "now__stale", "shares__per_order", "habits__spend_7d"):
        assert [plain(value) for value in served[name]] == [row[name] for row in trained]
    assert set(served) == {"user_id", *(f"habits__{n}" for n in ("spend_7d", "kinds")),
                           *(f"now__{n}" for n in NAMES[:-1]), "shares__per_order"}  # fmt: skip


def test_types_survive(store: FeatureStore) -> None:
    """Also where every value is null, and in the registry."""
    rows = [dict.fromkeys(_DTYPES) | {"user_id": 999}]
    frame = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=_DTYPES[name]) for name in _DTYPES})
    frame["event_timestamp"] = pd.Timestamp(UNTIL)
    table = store.get_historical_features(frame, store.get_feature_service("momentary")).to_arrow()
    kinds = {name: table.schema.field(name).type for name in NAMES}
    assert kinds == dict.fromkeys(NAMES, pa.float64()) | dict.fromkeys(["above_usual", "stale", "same"], pa.bool_())
    view = store.get_on_demand_feature_view("now")
    assert [str(field.dtype) for field in view.features] == ["Float64", "Float64", "Bool", "Float64", "Bool", "Bool"]
