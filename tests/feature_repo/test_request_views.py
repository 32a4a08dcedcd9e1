"""Request views through the real Feast: offline, online and without it, the same values to the last bit."""

import ast
import json
import math
import random
import shutil
import warnings
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureStore, OnDemandFeatureView
from feast.diff.registry_diff import diff_registry_objects
from feast.errors import FeatureNameCollisionError, RequestDataNotFoundInEntityDfException
from feast.infra.registry.registry import FeastObjectType

import limner
from limner.feature_repo.apply import apply
from limner.feature_repo.compile import compile_project
from limner.feature_repo.plan import plan
from limner.feature_repo.project import Project
from limner.language.errors import LimnerError
from tests.integration.feast_project import FIRST, SPECS, events, make_project

REQUESTS = """
---
encoder: letters
hashing: {features: 32, ngrams: [1, 3], analyzer: char}
---
feature_view: habits
entity: user
source: events
every: event
features:
  spend: {sum: amount, over: [7d]}
  kinds: {distinct: kind}
  texts: {embed: "{kind}", encoder: letters, over: 30d}
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
  fit: {cosine: habits.texts, with: word}
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
NAMES = ["days_since_order", "hours_since_order", "above_usual", "relative", "stale", "same", "fit", "per_order"]


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
    assert set(served) == {"user_id", *(f"habits__{n}" for n in ("spend_7d", "kinds", "texts")),
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
    assert [str(field.dtype) for field in view.features] == [
        "Float64",
        "Float64",
        "Bool",
        "Float64",
        "Bool",
        "Bool",
        "Float64",
    ]


def test_the_registry_holds_data_and_two_fixed_lines(repo: Path) -> None:
    """Whatever texts a spec has, they stay one literal; the pickle names a class and holds the same text."""
    evil = '"); raise SystemExit("x'
    text = (repo.parent / "specs" / "shop.yaml").read_text()
    project = make_other(repo, text.replace('"word = activity.newest or', json.dumps(f"word = '{evil}' or")[:-1]))
    compiled = compile_project(project)
    view = compiled.objects["request_now"]
    assert isinstance(view, OnDemandFeatureView)
    proto = view.to_proto().spec.feature_transformation.user_defined_function
    function = ast.parse(proto.body_text).body[0]
    assert isinstance(function, ast.FunctionDef)
    call = function.body[1]
    assert isinstance(call, ast.Return)
    assert isinstance(call.value, ast.Call)
    assert isinstance(call.value.args[0], ast.Constant)
    assert call.value.args[0].value == compiled.programs["now"].text
    assert any(evil in getattr(step, "expression", "") for step in compiled.programs["now"].steps)
    assert len(proto.body) < len(compiled.programs["now"].text.encode()) + 200


def test_applying_again_changes_nothing(repo: Path, store: FeatureStore) -> None:
    """For our plan, and in the eyes of Feast's own."""
    assert plan(repo.parent).empty
    compiled = compile_project(Project.at(repo))
    for name in ("now", "shares"):
        view = compiled.objects[f"request_{name}"]
        assert isinstance(view, OnDemandFeatureView)
        found = diff_registry_objects(
            store.get_on_demand_feature_view(name), view, FeastObjectType.ON_DEMAND_FEATURE_VIEW
        )
        assert found.feast_object_property_diffs == []


def test_missing_fields_and_other_types_are_named(store: FeatureStore) -> None:
    with pytest.raises(LimnerError, match=r"'now' needs the request field 'basket'; it takes basket \(a number\)"):
        store.get_online_features(["now:above_usual"], [{"user_id": 1}])
    with pytest.raises(LimnerError, match="the request's 'basket' is a number: found 'much'"):
        store.get_online_features(["now:above_usual"], [{"user_id": 1, "basket": "much"}])
    rows = pd.DataFrame({"user_id": [1], "event_timestamp": [pd.Timestamp(UNTIL)]})
    with pytest.raises(RequestDataNotFoundInEntityDfException, match="now"):
        store.get_historical_features(rows, ["now:above_usual"])
    whole = rows.assign(now=pd.Timestamp(UNTIL), basket="much", items=1, word="x", gift=True)
    with pytest.raises(LimnerError, match="the request's 'basket' is a number: found 'much'"):
        store.get_historical_features(whole, ["now:above_usual"]).to_df()
    with pytest.raises(LimnerError, match="already have a column 'above_usual'"):
        store.get_historical_features(whole.assign(above_usual=1), ["now:above_usual"])


def test_a_request_view_alone_brings_its_join_keys(store: FeatureStore) -> None:
    found = store.get_online_features(["shares:per_order"], {"user_id": [3, 4]}).to_dict()
    assert found["user_id"] == [3, 4]
    assert list(found) == ["user_id", "per_order"]


def test_two_features_of_one_name_are_told_apart_or_refused(store: FeatureStore) -> None:
    """As Feast does for views, also where what a request view reads has the name of what is asked for."""
    rows = [{"user_id": user} for user in range(1, 15)]
    short = store.get_online_features(["habits:spend_7d", "shares:per_order"], rows).to_dict()
    full = store.get_online_features(["habits:spend_7d", "shares:per_order"], rows, full_feature_names=True).to_dict()
    assert short["spend_7d"] == full["habits__spend_7d"]
    assert short["per_order"] == full["shares__per_order"]
    with pytest.raises(FeatureNameCollisionError):
        store.get_online_features(["habits:spend_7d", "activity:spend_7d", "shares:per_order"], rows)
    frame = pd.DataFrame(rows).assign(event_timestamp=pd.Timestamp(UNTIL))
    trained = store.get_historical_features(frame, ["habits:spend_7d", "shares:per_order"]).to_df()
    assert [plain(value) for value in trained["per_order"]] == short["per_order"]
    assert [plain(value) for value in trained["spend_7d"]] == short["spend_7d"]


def test_a_change_holds_from_the_moment_it_is_applied(tmp_path: Path) -> None:
    """Without a run; tags and descriptions change nothing but what people read; what is dropped is gone."""
    repo = make_project(tmp_path, events(60, users=5), specs=SPECS + REQUESTS)
    spec = repo.parent / "specs" / "shop.yaml"
    apply(plan(repo.parent))
    FeatureStore(repo_path=str(repo)).materialize(FIRST, UNTIL)
    own = limner.Store(repo)
    before = own.profile("shares", 1)
    spec.write_text(spec.read_text().replace("activity.spend_7d / activity.orders_7d", "activity.orders_7d + 0.5"))
    change = plan(repo.parent).requests[1]
    assert str(change) == (
        "shares: changed (features.per_order.expression: activity.spend_7d / activity.orders_7d -> "
        "activity.orders_7d + 0.5)"
    )
    apply(plan(repo.parent))
    after, orders = own.profile("shares", 1), own.profile("activity", 1)
    assert before is not None
    assert after is not None
    assert orders is not None
    assert (before != after, after["per_order"]) == (True, orders["orders_7d"] + 0.5)
    spec.write_text(spec.read_text().replace("owner: growth@example.org", "owner: shop@example.org"))
    assert (
        str(plan(repo.parent).requests[0]) == "now: changed (owner: growth@example.org -> shop@example.org, only tags)"
    )
    apply(plan(repo.parent))
    assert FeatureStore(repo_path=str(repo)).get_on_demand_feature_view("now").owner == "shop@example.org"
    assert plan(repo.parent).empty
    text = spec.read_text()
    spec.write_text(text[: text.index("request_view: shares")] + "profile: momentary\nfeatures: [habits, now]\n")
    reviewed = plan(repo.parent)
    assert reviewed.dropped == ("request view shares",)
    apply(reviewed)
    assert [view.name for view in own.request_views()] == ["now"]
    own.close()


def test_feasts_own_online_store_answers_in_whole_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same values but for fractions of seconds; names that two views share need full names."""
    repo = make_project(tmp_path, events(200, users=9), "{type: sqlite, path: ../data/feast.db}", SPECS + REQUESTS)
    apply(plan(repo.parent))
    store = FeatureStore(repo_path=str(repo))
    store.materialize(FIRST, UNTIL)
    rows = [row for row in requests(60) if None not in row.values() and row["user_id"] < 10]
    assert rows
    monkeypatch.chdir(repo.parent)  # where texts find their encoder
    service = store.get_feature_service("momentary")
    trained = offline(store, rows, full_feature_names=True)
    served = store.get_online_features(service, rows, full_feature_names=True).to_dict()
    for name in ("now__above_usual", "now__relative", "now__same", "now__fit", "shares__per_order"):
        assert [plain(value) for value in served[name]] == [row[name] for row in trained]
    ages = [(a, row["now__days_since_order"]) for a, row in zip(served["now__days_since_order"], trained, strict=True)]
    assert all(b is None if a is None else abs(a - b) < 2 / 86_400 for a, b in ages)
    with pytest.raises(LimnerError, match="two features are called 'spend_7d' here"):
        store.get_online_features(service, rows)


def make_other(repo: Path, specs: str) -> Project:
    """The same project with other specs, beside it."""
    other = repo.parent / "other"
    for part in ("feature_repo", "events"):
        shutil.copytree(repo.parent / part, other / part, dirs_exist_ok=True)
    (other / "specs").mkdir(exist_ok=True)
    (other / "specs" / "shop.yaml").write_text(specs)
    return Project.at(other / "feature_repo")
