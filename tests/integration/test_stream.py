"""`limner stream` in a real project: what Feast answers online and offline, and workers that are killed."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from integration.feast_project import apply, declared

from limner.cli.main import run
from limner.workers.online.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("cli")]
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: taps
path: data/taps
format: jsonl
entity: user
event_timestamp: at
created_timestamp: received
clean: {cast: {user_id: int, amount: float}}
stream: {id: tap, lateness: 1d}
---
feature_view: live
entity: user
source: taps
every: event
features:
  taps: {count: "*", over: [1h, lifetime]}
  spend: {sum: amount, over: 1h}
  last: {last: tap}
---
feature_view: sums
entity: user
source: taps
every: event
features:
  count: {count: "*", over: [1h, lifetime]}
  total: {sum: amount}
---
feature_view: daily
entity: user
source: taps
every: 1d
features: {taps: {count: "*"}}
---
feature_view: habit
entity: user
views: [live]
every: event
features:
  mean: {ratio: [live.spend, live.taps_1h]}
  often: {expression: live.taps_1h > 3}
---
profile: all
features: [live, sums, daily, habit]
"""
REFS = ["live:taps_1h", "live:taps_lifetime", "live:spend", "live:last", "habit:mean", "habit:often"]
REFS += ["sums:count_1h", "sums:count_lifetime", "sums:total"]


def tap(n: int, user: int, at: datetime) -> dict[str, Any]:
    return {"tap": f"t{n}", "user_id": user, "at": at.isoformat(), "amount": n}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project, applied and materialized, with one tap of user 1 in its files."""
    root = tmp_path / "shop"
    declared(root, SPECS)
    (root / "data" / "taps").mkdir(parents=True)
    before = datetime.now(UTC) - timedelta(hours=2)
    row = tap(0, 1, before) | {"received": before.isoformat()}
    (root / "data" / "taps" / "before.jsonl").write_text(json.dumps(row) + "\n")
    (root / "incoming").mkdir()
    return root


def materialize(root: Path) -> None:
    """To now, from yesterday on."""
    begin = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert run(["-C", str(root), "materialize", begin, datetime.now(UTC).isoformat()]) == 0


def stream(root: Path, rows: list[dict[str, Any]], name: str) -> int:
    """Events in a file, taken to the last."""
    (root / "incoming" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run(["-C", str(root), "stream", "--from", f"folder:{root / 'incoming'}", "--once"])


def test_feast_answers_online_what_its_training_set_says_of_that_instant(project: Path, capfd: Any) -> None:
    """Before and after a run that computes the stream's time again."""
    store = apply(project / "feature_repo")
    materialize(project)
    served: list[tuple[datetime, list[dict[str, Any]]]] = []
    for number in range(2):
        now = datetime.now(UTC)
        rows = [tap(10 * number + n, n % 2 + 1, now - timedelta(seconds=n)) for n in range(1, 5)]
        assert stream(project, [*rows, rows[0]], f"part-{number}") == 0
        answer = store.get_online_features(REFS, [{"user_id": 1}, {"user_id": 2}]).to_dict()
        served.append((datetime.now(UTC), [{k: v[n] for k, v in answer.items() if k != "user_id"} for n in range(2)]))
    assert "4 events taken, 1 came again" in capfd.readouterr().out
    assert served[-1][1] == [
        {"taps_1h": 4, "taps_lifetime": 5, "spend": 32.0, "last": "t12", "mean": 8.0, "often": True}
        | {"count_1h": 4, "count_lifetime": 5, "total": 32.0},
        {"taps_1h": 4, "taps_lifetime": 4, "spend": 28.0, "last": "t11", "mean": 7.0, "often": True}
        | {"count_1h": 4, "count_lifetime": 4, "total": 28.0},
    ]
    for _ in range(2):
        rows = [{"user_id": user, "event_timestamp": at} for at, _ in served for user in (1, 2)]
        found = store.get_historical_features(pd.DataFrame(rows), REFS).to_df().drop(columns=["user_id"])
        assert found.drop(columns=["event_timestamp"]).to_dict("records") == [
            each for _, some in served for each in some
        ]
        materialize(project)


def test_a_history_in_parquet_goes_on_with_events(project: Path, capfd: Any) -> None:
    """They are written beside it; what came before cannot come again, and no run finds anything to mend."""
    (project / "data" / "taps").rename(project / "data" / "old")
    (project / "data" / "old" / "before.jsonl").unlink()
    now = datetime.now(UTC)
    times = [now - timedelta(days=40), now - timedelta(minutes=30)]
    columns = {"tap": ["o1", "o2"], "user_id": [1, 2], "at": times, "amount": [0.1, 2.5]}
    pq.write_table(pa.table(columns), project / "data" / "old" / "taps.parquet")
    both = SPECS.replace("path: data/taps\nformat: jsonl", "path: [data/old/*.parquet, data/taps/*.jsonl]")
    (project / "specs" / "shop.yaml").write_text(both)
    store = apply(project / "feature_repo")
    materialize(project)
    rows = [tap(1, 1, now), tap(2, 2, now), {"tap": "o2", "user_id": 2, "at": times[1].isoformat(), "amount": 2.5}]
    assert stream(project, rows, "all") == 0
    assert "2 events taken, 1 came again" in capfd.readouterr().out
    assert [file.suffix for file in sorted((project / "data" / "taps").iterdir())] == [".jsonl"]
    answers = store.get_online_features(REFS, [{"user_id": 1}, {"user_id": 2}]).to_df()
    assert answers["taps_lifetime"].tolist() == answers["count_lifetime"].tolist() == [2, 2]
    assert answers["total"].tolist() == [1.1, 4.5]
    assert (answers["spend"].tolist(), answers["last"].tolist()) == ([1.0, 4.5], ["t1", "t2"])
    asked = pd.DataFrame({"user_id": [1, 2], "event_timestamp": [datetime.now(UTC)] * 2})
    for _ in range(2):
        found = store.get_historical_features(asked, REFS).to_df()
        pd.testing.assert_frame_equal(found[answers.columns], answers, check_dtype=False)
        materialize(project)
    assert "mended" not in "".join(capfd.readouterr())
    assert run(["-C", str(project), "skew"]) == 0


def test_workers_that_are_killed_again_and_again_lose_and_double_nothing(project: Path) -> None:
    """While events come all the time."""
    apply(project / "feature_repo")
    materialize(project)
    command = [sys.executable, "-m", "limner.cli.main", "-C", str(project), "stream", "--flush", "0.3"]
    command += ["--from", f"folder:{project / 'incoming'}", "--most", "7"]
    sent = 0
    with (project / "incoming" / "all.jsonl").open("a") as incoming:
        for _ in range(2):
            worker = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                begun = sent
                deadline = time.monotonic() + 60
                while sent < begun + 40 or _taken(project) <= begun + 10:
                    assert time.monotonic() < deadline
                    sent += 1
                    incoming.write(json.dumps(tap(sent, sent % 5, datetime.now(UTC))) + "\n")
                    incoming.flush()
                    time.sleep(0.02)
            finally:
                worker.send_signal(signal.SIGKILL)
                worker.wait()
    assert stream(project, [], "none") == 0
    live = Store(project)
    for view, output in (("live", "taps_lifetime"), ("sums", "count_lifetime")):
        assert sum(live.read(view, list(range(5)), [output])[output].to_pylist()) == sent + 1
    files = [line for file in (project / "data" / "taps").glob("*.jsonl") for line in file.read_text().splitlines()]
    assert sorted(json.loads(line)["tap"] for line in files) == sorted(f"t{n}" for n in range(sent + 1))


def _taken(root: Path) -> int:
    """Events that are online."""
    found = Store(root).read("live", list(range(5)), ["taps_lifetime"])["taps_lifetime"].to_pylist()
    return sum(each or 0 for each in found)
