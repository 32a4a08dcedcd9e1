"""`limner materialize` finds and mends what somebody has put online, once a day or when it is asked to."""

import json
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from feast import FeatureStore
from integration.feast_project import DAY, FIRST, OWN, Event, apply, events, make_project, write_events

from limner.benchmarks.valkey import valkey
from limner.workers.online.checking import check_online
from limner.workers.online.locate import REDIS_TYPE, RedisPlace
from limner.workers.online.redis_state import Names, connect
from limner.workers.online.store import Store
from tests.running import Limner

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("cli"),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.usefixtures("in_process"),
]
RUN = ("materialize", "2026-01-01", "2026-02-20")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    apply(make_project(tmp_path / "shop", events(300, users=8)))
    return tmp_path / "shop"


def meddle(root: Path) -> None:
    """User 1 has the values of user 2, and user 3 has none."""
    with sqlite3.connect(root / "data" / "online.db") as database:
        ((name,),) = database.execute("SELECT name FROM sqlite_master WHERE name LIKE 'values_%' AND type = 'table'")
        keys = [user.to_bytes(8, "big") for user in (1, 2, 3)]
        other = f"SELECT value FROM {name} WHERE key = ?"
        database.execute(f"UPDATE {name} SET value = ({other}) WHERE key = ?", (keys[1], keys[0]))
        database.execute(f"DELETE FROM {name} WHERE key = ?", keys[2:])


def profiles(root: Path) -> list[dict[str, Any] | None]:
    store = Store(root)
    try:
        return [store.profile("activity", user) for user in range(1, 9)]
    finally:
        store.close()


def test_a_run_that_is_asked_to_mends_and_tells(root: Path, limner: Limner) -> None:
    """Entities without any new row; a run that is not asked leaves them, since it is no day since they were written."""
    assert limner("-C", root, *RUN).code == 0
    before = profiles(root)
    assert before[2] is not None
    meddle(root)
    ended = limner("-C", root, *RUN, "--json")
    assert "online_checked" not in json.loads(ended.out)["summary"]["activity"]
    assert profiles(root)[2] is None
    ended = limner("-C", root, *RUN, "--check-online", "--json")
    assert (ended.code, profiles(root)) == (0, before)
    told = json.loads(ended.out)["summary"]["activity"]["online_checked"]
    assert (told["compared"], told["rows"], told["missing"], told["strange"]) == (8, 2, 1, 0)
    assert told["features"]["last_order"] == 1
    assert told["examples"]["last_order"]["entity"] == {"user_id": 1}
    assert "mended online values that were not what the history says: 2 of 8 rows (2 entities)" in ended.err
    (line,) = [line for line in limner("-C", root, "runs").out.splitlines() if "mended" in line]
    assert line.strip().startswith("activity: mended 2 of 8 online rows: ")
    assert line.endswith(", missing 1")
    ended = limner("-C", root, *RUN, "--check-online", "--json")
    assert json.loads(ended.out)["summary"]["activity"]["online_checked"] == {"compared": 8, "rows": 0}
    assert "mended" not in ended.err


def test_a_run_a_day_looks_by_itself(root: Path, limner: Limner) -> None:
    """And always, or never, where the settings say so."""
    assert limner("-C", root, *RUN).code == 0
    before = profiles(root)
    note = root / "data" / "online" / "activity" / "checked.json"
    meddle(root)
    note.write_text(json.dumps({"at": time.time_ns() // 1000 - 21 * 3_600_000_000}))
    assert limner("-C", root, *RUN).code == 0
    assert profiles(root) == before
    assert json.loads(note.read_text())["at"] > (time.time_ns() // 1000) - 600_000_000
    settings = root / "feature_repo" / "feature_store.yaml"
    text = settings.read_text()
    for word, mended in (("never", False), ("always", True)):
        meddle(root)
        settings.write_text(text.replace("shards: 2", f"shards: 2, check_online: {word}"))
        assert limner("-C", root, *RUN).code == 0
        assert (profiles(root) == before) is mended
    settings.write_text(text.replace("shards: 2", "shards: 2, check_online: sometimes"))
    ended = limner("-C", root, *RUN)
    assert "check_online: found 'sometimes', expected one of daily, always, never" in ended.err


def test_where_the_past_is_another_what_is_online_follows(root: Path, limner: Limner) -> None:
    """Events are taken back: the newest row of some entities is an older one than before, and of one there is none."""
    assert limner("-C", root, *RUN).code == 0
    before = profiles(root)
    more = [Event(user, FIRST + 48 * DAY, 500.0, "plant") for user in (1, 2, 77)]
    file = write_events(root, "more", more)
    assert limner("-C", root, *RUN).code == 0
    store = Store(root)
    assert store.profile("activity", 77) is not None
    assert profiles(root) != before
    file.unlink()
    ended = limner("-C", root, *RUN, "--json")
    assert profiles(root) == before
    assert store.profile("activity", 77) is None
    told = json.loads(ended.out)["summary"]["activity"]["online_checked"]
    assert (told["strange"], told["compared"]) == (1, 8)
    store.close()


def test_feasts_own_run_tells_it_as_a_warning(root: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody else listens there."""
    store = FeatureStore(str(root / "feature_repo"))
    start, end = FIRST, FIRST + 50 * DAY
    store.materialize(start, end)
    before = profiles(root)
    meddle(root)
    with check_online(asked=True):
        store.materialize(start, end)
    assert profiles(root) == before
    (told,) = [record.getMessage() for record in caplog.records if record.name == "limner"]
    assert told.startswith("activity: mended online values that were not what the history says: 2 of 8 rows")


@pytest.fixture
def place() -> Iterator[RedisPlace]:
    with valkey() as port:
        yield RedisPlace(f"redis://127.0.0.1:{port}/0", "limner:shop")


def test_what_a_server_lost_is_told(tmp_path: Path, place: RedisPlace, limner: Limner) -> None:
    """In Valkey; the same run takes the rows of a further day."""
    online = OWN.replace("limner.feature_repo.online_store.LimnerOnlineStore", f"{REDIS_TYPE}, url: '{place.url}'")
    root = tmp_path / "shop"
    apply(make_project(root, events(300, users=8), online))
    assert limner("-C", root, *RUN).code == 0
    before, client = profiles(root), connect(place)
    (name,) = client.keys(f"{Names(place.prefix).prefix}:values_*")
    assert client.hdel(name, (8).to_bytes(8, "big")) == 1
    assert profiles(root) != before
    ended = limner("-C", root, *RUN, "--check-online", "--json")
    told = json.loads(ended.out)["summary"]["activity"]
    assert (told["online_rows"], told["online_checked"]["missing"], profiles(root)) == (0, 1, before)
    client.close()
