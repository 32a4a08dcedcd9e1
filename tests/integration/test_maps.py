"""Values by category through stock Feast: registry, training sets, online and over HTTP; null and empty ones, too."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureStore
from feast.feature_server import get_app
from feast.types import Array, Float64, Int64, Map, String

import limner
from tests.integration.feast_project import DAY, FIRST, SPECS, Event, apply, make_project

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("views")]
HOUR = timedelta(hours=1)
ROWS = [
    Event(1, FIRST + HOUR, 2.5, "book"),
    Event(1, FIRST + 2 * HOUR, 60.0, "ünïcode"),
    Event(1, FIRST + DAY, 0.25, "book"),
    Event(2, FIRST + HOUR, 5.0, "game"),
]
FEATURES = """features:
  spent: {sum: amount, by: kind, over: 3d}
  bought: {count: "*", by: kind, over: 3d}
  listed: {mean: amount, by: kind, categories: [game, book], other: true, over: 3d}
  kinds: {sequence: 2, of: kind, over: 3d}
  orders: {count: "*", over: 3d}
---
request_view: asked
entity: user
request: {limit: int}
features: {above: {expression: activity.orders > limit}}
---
profile: everything
features: [activity]
"""
NAMES = ["spent", "bought", "listed", "kinds"]
REFS = [f"activity:{name}" for name in NAMES]
END = FIRST + 3 * DAY
# User 1 as of the second day, user 2 when its only row has left the window, and one whom nobody knows.
FIRST_DAY = [{"book": 2.5, "ünïcode": 60.0}, {"book": 1, "ünïcode": 1}, [0.0, 2.5, 60.0], ["ünïcode", "book"]]
SILENT = [{}, {}, [0.0, 0.0, 0.0], None]
NOBODY = [None, None, None, None]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, in_process: None) -> Path:
    """A project that is applied and materialized up to the day after the last event."""
    folder = tmp_path_factory.mktemp("maps")
    specs = SPECS[: SPECS.index("features:")] + FEATURES
    apply(make_project(folder, ROWS, specs=specs)).materialize(FIRST, END + DAY)
    return folder


def opened(root: Path) -> FeatureStore:
    return FeatureStore(str(root / "feature_repo"))


def test_the_registry_knows_maps(root: Path) -> None:
    """Feast's `Map` does not say of what; a tag of the field does."""
    view = opened(root).get_feature_view("activity")
    assert {field.name: field.dtype for field in view.features} == {
        "spent": Map,
        "bought": Map,
        "listed": Array(Float64),
        "kinds": Array(String),
        "orders": Int64,
    }
    assert {field.name: field.tags for field in view.features if field.tags} == {
        "bought": {"limner.values": "int"},
        "spent": {"limner.values": "float"},
    }


def history(root: Path) -> Any:
    frame = pd.DataFrame({"user_id": [1, 2, 3], "event_timestamp": [FIRST + DAY + HOUR, END + DAY, END]})
    return opened(root).get_historical_features(frame, REFS)


def test_a_training_set_has_them(root: Path) -> None:
    """As Arrow maps of the values' own type, and as dicts in a data frame."""
    table = history(root).to_arrow()
    assert table.schema.field("spent").type == pa.map_(pa.string(), pa.float64())
    assert table.schema.field("bought").type == pa.map_(pa.string(), pa.int64())
    rows = [[row[name] for name in NAMES] for row in table.to_pylist(maps_as_pydicts="strict")]
    assert rows == [FIRST_DAY, SILENT, NOBODY]
    frame = history(root).to_df()
    assert [frame[name].tolist() for name in ("spent", "bought")] == [
        [FIRST_DAY[0], {}, None],
        [FIRST_DAY[1], {}, None],
    ]


NEWEST = [{"book": 0.25}, {"book": 1}, [0.0, 0.25, 0.0], ["book"]]


def test_online_they_are_dicts(root: Path) -> None:
    """Through Feast, and through `limner.Store` as dicts or Arrow maps."""
    answer = opened(root).get_online_features(REFS, [{"user_id": user} for user in (1, 2, 3)]).to_dict()
    assert [[answer[name][row] for name in NAMES] for row in range(3)] == [NEWEST, SILENT, NOBODY]
    store = limner.Store(root)
    profile = store.profile("everything", 1)
    assert profile is not None
    assert [profile[name] for name in NAMES] == NEWEST
    table = store.read("activity", [1, 2, 3])
    assert table.schema.field("bought").type == pa.map_(pa.string(), pa.int64())
    assert table.column("bought").to_pylist() == [[("book", 1)], [], None]


def test_feast_serve_answers_with_json_objects(root: Path) -> None:
    """The HTTP server that `feast serve` starts."""
    body = json.dumps({"features": REFS, "entities": {"user_id": [1, 2, 3]}}).encode()
    answer = json.loads(asyncio.run(post(get_app(opened(root)), "/get-online-features", body)))
    names = answer["metadata"]["feature_names"]
    found = dict(zip(names, (each["values"] for each in answer["results"]), strict=True))
    assert [[found[name][row] for name in NAMES] for row in range(3)] == [NEWEST, SILENT, NOBODY]


async def post(app: Any, path: str, body: bytes) -> bytes:
    """The body of the answer to one request."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json")], "client": ("test", 1), "server": ("test", 80),
    }  # fmt: skip
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        parts.append(message.get("body", b""))

    await app(scope, receive, send)
    return b"".join(parts)


def test_they_may_be_asked_for_beside_features_of_a_request(root: Path) -> None:
    """Feast computes these from the whole answer, which must survive with maps in it."""
    refs = [*REFS, "asked:above"]
    answer = opened(root).get_online_features(refs, [{"user_id": 1, "limit": 0}]).to_dict()
    assert [answer[name][0] for name in (*NAMES, "above")] == [*NEWEST, True]
    frame = pd.DataFrame({"user_id": [1, 2], "limit": [0, 0], "event_timestamp": [FIRST + DAY + HOUR, END + DAY]})
    rows = opened(root).get_historical_features(frame, refs).to_df()
    assert rows["spent"].tolist() == [FIRST_DAY[0], SILENT[0]]
    assert rows["above"].tolist() == [True, False]
