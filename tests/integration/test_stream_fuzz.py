"""Requests made from what `POST /events` says of itself, and against it: no 500, no nonsense that is taken."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from integration.feast_project import CONFIG, DEFINITIONS, OWN, apply
from integration.test_stream import materialize, tap

from limner.benchmarks.ports import free_port
from limner.cli.main import run

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("cli")]
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: taps
path: data/taps
format: jsonl
event_timestamp: at
created_timestamp: received
clean: {cast: {user_id: int, amount: float}, quarantine: [amount > 2]}
stream: {id: tap, lateness: 1d}
---
feature_view: live
entity: user
source: taps
every: event
features:
  taps: {count: "*", over: [1h, lifetime]}
  spend: {sum: amount, over: 1h}
"""
# A description cannot say what is late, nor which ids came before, and those count as such whatever else an event says:
# what keeps to it may be refused. That nothing else is taken is looked at more closely below.
SETTINGS = """
hooks = "hooks.py"
checks.positive_data_acceptance.enabled = false
checks.negative_data_rejection.enabled = false
"""
# Each event of a list is judged alone.
HOOKS = """
import json
import pathlib
import jsonschema
import schemathesis

told = json.loads(pathlib.Path("openapi.json").read_text())
event = {"$ref": "#/components/schemas/Event_taps", "components": told["components"]}
judge = jsonschema.Draft202012Validator(event)


@schemathesis.check
def nonsense_is_refused(ctx, response, case):
    if response.status_code not in (200, 422) or "events" not in case.path:
        return
    answer = response.json()
    refused = {each["event"] for each in answer["refused"]}
    sent = json.loads(response.request.body)
    events = sent if isinstance(sent, list) else [sent]
    assert answer["taken"] + answer["repeated"] + len(refused) == len(events), answer
    assert (response.status_code == 200) == (len(refused) < len(events)), answer
    passed = [each for number, each in enumerate(events) if number not in refused and not judge.is_valid(each)]
    assert len(passed) <= answer["repeated"], passed
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    for folder in ("feature_repo", "specs", "data/taps"):
        (root / folder).mkdir(parents=True)
    (root / "feature_repo" / "feature_store.yaml").write_text(CONFIG.replace("ONLINE", OWN))
    (root / "feature_repo" / "definitions.py").write_text(DEFINITIONS)
    (root / "specs" / "shop.yaml").write_text(SPECS)
    before = datetime.now(UTC) - timedelta(hours=2)
    row = tap(0, 1, before) | {"received": before.isoformat()}
    (root / "data" / "taps" / "before.jsonl").write_text(json.dumps(row) + "\n")
    apply(root / "feature_repo")
    materialize(root)
    return root


@pytest.fixture
def url(project: Path) -> Iterator[str]:
    """A worker of the project; in the end it stops of its own accord when it is told to."""
    found = f"http://127.0.0.1:{free_port()}"
    line = [sys.executable, "-m", "limner.cli.main", "-C", str(project), "stream", "--flush", "1", "--from", found]
    with (project / "log").open("w") as log:
        worker = subprocess.Popen(line, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while not _listens(found):
                assert worker.poll() is None, (project / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield found
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(60) == 0, (project / "log").read_text()
        finally:
            worker.kill()
            worker.wait()
    assert "Traceback" not in (project / "log").read_text()


def _listens(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=5).ok
    except requests.ConnectionError:
        return False


def likely(told: dict[str, Any]) -> dict[str, Any]:
    """The description with events that can be taken: what is behind the first look is met, too."""
    now = datetime.now(UTC)
    some = [(now - timedelta(hours=n)).isoformat() for n in (0, 1, 20, 30)]
    schemas = told["components"]["schemas"]
    schemas["Event_taps"]["properties"] |= {
        "at": {"enum": some},
        "user_id": {"anyOf": [{"enum": [1, 2, "3"]}, {"$ref": "#/components/schemas/Value"}]},
        "amount": {"anyOf": [{"enum": [1, 2.5, "3"]}, {"$ref": "#/components/schemas/Value"}]},
    }
    del told["paths"]["/events"]  # where one source is followed, it is the same
    return told


def test_no_500_and_no_nonsense(project: Path, url: str, tmp_path: Path) -> None:
    told = requests.get(f"{url}/openapi.json", timeout=5).json()
    assert told["components"]["schemas"]["Event_taps"]["required"] == ["tap", "at"]
    (tmp_path / "openapi.json").write_text(json.dumps(likely(told)))
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    (tmp_path / "hooks.py").write_text(HOOKS)
    line = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", "schemathesis.toml", "run"]
    line += ["openapi.json", "--url", url, "--max-examples", "20", "--mode", "all", "--seed", "1"]
    line += ["--phases", "coverage,fuzzing", "--generation-database", "none", "--no-color", "--request-timeout", "30"]
    ended = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert ended.returncode == 0, ended.stdout[-20_000:]
    assert "3 selected" in ended.stdout
    event = tap(1, 7, datetime.now(UTC))
    assert requests.post(f"{url}/events/taps", json=event, timeout=30).json()["taken"] == 1
    time.sleep(2)
    assert run(["-C", str(project), "materialize", "incremental"]) == 0
    assert requests.post(f"{url}/events", json=[event], timeout=30).json()["repeated"] == 1
