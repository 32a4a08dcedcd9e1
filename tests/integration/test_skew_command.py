"""`limner skew` shows a person what is wrong online: by feature, with an entity and both values."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.feast_project import OWN, SPECS, apply, events, make_project

from limner.benchmarks.valkey import valkey
from limner.workers.online.locate import REDIS_TYPE, RedisPlace
from limner.workers.online.opening import open_writer
from limner.workers.online.redis_state import Names, connect
from tests.running import Limner

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("cli"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("in_process"),
]
MORE = """
---
feature_view: about
entity: user
views: [activity]
every: 1d
features:
  basket: {expression: activity.spend_7d / activity.orders_7d}
  busy: {expression: activity.orders_7d > 2 * 1}
---
feature_view: hidden
entity: user
source: events
every: 1d
online: false
features: {orders: {count: "*", over: 7d}}
"""


@pytest.fixture(scope="module")
def place() -> Iterator[RedisPlace]:
    with valkey() as port:
        yield RedisPlace(f"redis://127.0.0.1:{port}/0", "limner:shop")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory, place: RedisPlace) -> Path:
    found = tmp_path_factory.mktemp("skew") / "shop"
    online = OWN.replace("limner.feature_repo.online_store.LimnerOnlineStore", f"{REDIS_TYPE}, url: '{place.url}'")
    apply(make_project(found, events(300, users=30), online, SPECS + MORE))
    return found


def test_views_over_views_agree_and_a_wrong_value_is_shown(root: Path, place: RedisPlace, limner: Limner) -> None:
    """In Valkey; the same seed looks at the same entities."""
    assert limner("-C", root, "materialize", "2026-01-01", "2026-02-20").code == 0
    ended = limner("-C", root, "skew", "--json")
    assert ended.code == 0
    views = {each["view"]: each for each in json.loads(ended.out)}
    assert {name: (each["entities"], each["features"]) for name, each in views.items()} == {
        "about": (0, {}),
        "activity": (0, {}),
    }
    with open_writer(place) as writer:
        generation = writer.served("about")
    assert generation is not None
    client, name, key = connect(place), Names(place.prefix).values(generation.id), generation.schema.encode([7])
    row = client.hget(name, key)  # type: ignore[arg-type]
    other = generation.schema.layout.missing
    client.hset(name, key, row[:8] + other)  # type: ignore[index, arg-type]
    client.close()
    ended = limner("-C", root, "skew", "about", "--seed", "5")
    assert ended.code == 1
    head, columns, *rows = ended.out.splitlines()
    assert head.startswith("about: 1 of 30 entities differ, as of 2026-02-20 00:00:00Z (--seed 5)")
    assert columns.split() == ["feature", "entities", "share", "for", "example", "online", "computed"]
    assert [line.split()[:7] for line in rows if "busy" in line] == [
        ["busy", "1", "3.33", "%", "user_id", "7", "-"],
    ]
    small = [json.loads(limner("-C", root, "skew", "about", "-n", "5", "--seed", "5", "--json").out)[0] for _ in "ab"]
    assert small[0] == small[1]
    assert (small[0]["compared"], small[0]["seed"]) == (5, 5)


def test_what_cannot_be_compared_is_said(root: Path, limner: Limner) -> None:
    ended = limner("-C", root, "skew", "hidden")
    assert (ended.code, "view 'hidden' has no online values" in ended.err) == (1, True)
    ended = limner("-C", root, "skew", "nothing")
    assert (ended.code, "view 'nothing' is not served" in ended.err) == (1, True)
