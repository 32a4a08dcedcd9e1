"""`store.push` and `POST /push` of a real `feast serve`: the same values as of events that `limner stream` reads."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from feast import FeatureStore
from feast.data_source import PushMode
from feast.errors import PushSourceNotFoundException
from integration.feast_project import apply
from integration.test_stream import materialize, project, stream, tap

from limner.feature_repo.errors import FeastFacingError
from limner.feature_repo.plan import plan
from limner.feature_repo.push import PushError
from limner.workers.stream.inbox import followed
from tests.serving.world import feast_serve

__all__ = ["project"]
REFS = ["live:taps_1h", "live:taps_lifetime", "live:spend", "live:last"]
pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("cli")]


@contextmanager
def worker(root: Path, source: str = "push") -> Iterator[None]:
    """`limner stream`, at work."""
    command = [sys.executable, "-m", "limner.cli.main", "-C", str(root), "stream", "--flush", "0.5", "--from", source]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        told = ""
        while "following" not in told:
            told = process.stderr.readline()
            assert told, process.wait()
        yield
    finally:
        process.terminate()
        assert process.wait(30) == 0


def online(store: Any, users: list[int]) -> list[dict[str, Any]]:
    """What is online, a dict a user."""
    answer = store.get_online_features(REFS, [{"user_id": user} for user in users]).to_dict()
    return [{name: values[n] for name, values in answer.items()} for n in range(len(users))]


def files(root: Path) -> list[dict[str, Any]]:
    """Events in the source's files, without the instants at which they came."""
    lines = [line for file in (root / "data" / "taps").glob("*.jsonl") for line in file.read_text().splitlines()]
    return sorted(({**json.loads(line), "received": None} for line in lines), key=lambda row: row["tap"])


def test_pushed_events_are_online_at_once_and_then_in_history_and_files(project: Path) -> None:
    """By Python, sync and async, and by `POST /push`; refused ones are told, and none is taken twice."""
    assert [str(each) for each in plan(project).pushes] == ["push source taps: new"]
    store = apply(project / "feature_repo")
    (view,) = [view for view in store.list_feature_views() if view.stream_source is not None]
    assert (view.name, view.features, view.online, view.stream_source.name) == ("taps-events", [], False, "taps")
    assert plan(project).empty
    materialize(project)
    begun = datetime.now(UTC) - timedelta(seconds=30)
    frame = pd.DataFrame([tap(n, 1, begun + timedelta(seconds=n)) for n in range(1, 4)])
    frame["at"] = pd.to_datetime(frame["at"])
    with worker(project), feast_serve(project / "feature_repo") as served:
        store.push("taps", frame)
        assert online(store, [1]) == [
            {"user_id": 1, "taps_1h": 3, "taps_lifetime": 4, "spend": 6.0, "last": "t3"},
        ]
        for to in PushMode:
            store.push("taps", frame, to=to)
        asyncio.run(store.push_async("taps", pd.DataFrame([tap(4, 2, begun)])))
        assert online(store, [2]) == [{"user_id": 2, "taps_1h": 1, "taps_lifetime": 1, "spend": 4.0, "last": "t4"}]

        rows = [tap(5, 2, begun + timedelta(seconds=5)), tap(6, 2, begun + timedelta(seconds=6))]
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        body = {"push_source_name": "taps", "df": columns, "to": "online"}
        assert served.post("/push", body)[0] == 200
        assert served.post("/push", body | {"to": "offline"})[0] == 200
        asked = {"features": REFS, "entities": {"user_id": [2]}}
        answer = served.post("/get-online-features", asked)[1]
        assert dict(
            zip(answer["metadata"]["feature_names"], (each["values"][0] for each in answer["results"]), strict=True)
        ) == {"user_id": 2, "taps_1h": 3, "taps_lifetime": 3, "spend": 15.0, "last": "t6"}

        wrong = pd.DataFrame([tap(7, 2, begun), {"user_id": 2, "at": begun.isoformat(), "amount": 1}])
        with pytest.raises(PushError, match="1 of 2 events were refused: row 1 has no tap") as refused:
            store.push("taps", wrong)
        assert refused.value.http_status_code() == 422
        status, told, _ = served.post("/push", {"push_source_name": "taps", "df": {"user_id": [1]}})
        assert (status, json.loads(told)["message"]) == (422, "1 of 1 events were refused: row 0 has no tap")
        assert served.post("/push", body | {"push_source_name": "visits"})[0] != 200
        with pytest.raises(PushSourceNotFoundException):
            store.push("visits", frame)
    assert [row["tap"] for row in files(project)] == [f"t{n}" for n in range(8)]
    latest = online(store, [1, 2])
    asked = [{"user_id": user, "event_timestamp": datetime.now(UTC)} for user in (1, 2)]
    found = store.get_historical_features(pd.DataFrame(asked), REFS).to_df().drop(columns=["event_timestamp"])
    assert found.to_dict("records") == latest
    materialize(project)
    assert online(store, [1, 2]) == latest


def test_a_push_leaves_what_the_same_events_leave_that_come_from_a_folder(project: Path, tmp_path: Path) -> None:
    """Files alike but for the instant at which the events came.

    Without a worker a push fails, and its events happen when one is there; without our provider it fails, instead of
    writing nothing.
    """
    store = apply(project / "feature_repo")
    materialize(project)
    now = datetime.now(UTC)
    rows = [tap(n, n % 3, now - timedelta(seconds=n)) for n in range(1, 9)]
    other = tmp_path / "other"
    subprocess.run(["cp", "-r", str(project), str(other)], check=True)
    assert stream(other, rows, "all") == 0
    assert not followed(project / "data", "taps")
    with pytest.raises(PushError, match="the events are kept, and happen when `limner stream` runs") as kept:
        store.push("taps", pd.DataFrame(rows[4:]))
    assert kept.value.http_status_code() == 503
    assert stream(project, rows[:4], "half") == 0
    assert online(store, [0, 1, 2]) == online(FeatureStore(repo_path=str(other / "feature_repo")), [0, 1, 2])
    assert files(project) == files(other)
    config = project / "feature_repo" / "feature_store.yaml"
    config.write_text(config.read_text().replace("limner.feature_repo.provider.LimnerProvider", "local"))
    with pytest.raises(FeastFacingError, match=r"write provider: limner\.feature_repo\.provider\.LimnerProvider"):
        FeatureStore(repo_path=str(project / "feature_repo")).push("taps", pd.DataFrame(rows))
