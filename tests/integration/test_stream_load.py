r"""Workers that are killed while events come all the time: nothing is lost, nothing counts twice.

    LIMNER_LOAD_SECONDS=600 LIMNER_LOAD_RATE=4000 LIMNER_LOAD_KILL=60 LIMNER_LOAD_USERS=50000 \
        pytest tests/integration/test_stream_load.py -k under_load -s

is the long form; the suite runs a short one.
"""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from integration.feast_project import apply
from integration.test_stream import materialize, project, tap  # noqa: F401 - a fixture

from limner.benchmarks.ports import free_port
from limner.benchmarks.valkey import valkey
from limner.workers.online.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("stores")]
DEFAULTS = {"SECONDS": 8, "RATE": 300, "KILL": 3, "USERS": 500}
SECONDS, RATE, KILL, USERS = (
    float(os.environ.get(f"LIMNER_LOAD_{name}", default)) for name, default in DEFAULTS.items()
)
WORKERS = 2


@pytest.fixture
def url() -> Iterator[str]:
    with valkey() as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.mark.timeout(SECONDS + 300)
def test_a_worker_is_killed_now_and_then_under_load(project: Path, url: str) -> None:  # noqa: F811
    """Online, in the files and in the history is each event once; and all was read."""
    import redis

    apply(project / "feature_repo")
    materialize(project)
    client = redis.Redis.from_url(url)
    command = [sys.executable, "-m", "limner.cli.main", "-C", str(project)]
    group = subprocess.Popen(
        [*command, "stream", "--from", url, "--workers", str(WORKERS), "--flush", "2", "--json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        _until(lambda: len(_consumers(client)) == WORKERS)
        sent, killed = [0], 0
        stop = threading.Event()
        load = threading.Thread(target=_send, args=(client, stop, sent))
        load.start()
        begun = time.monotonic()
        while time.monotonic() - begun < SECONDS:
            time.sleep(min(KILL, max(0.0, begun + SECONDS - time.monotonic())))
            if time.monotonic() - begun < SECONDS:
                os.kill(random.choice(_children(group.pid)), signal.SIGKILL)
                killed += 1
        stop.set()
        load.join()
        ended = time.monotonic()
        _until(lambda: _left(client) == 0, KILL + 120)
        behind = time.monotonic() - ended
    finally:
        group.send_signal(signal.SIGTERM)
        told, _ = group.communicate(timeout=120)
    assert group.returncode == 0
    print(
        f"{sent[0]:,} events, {killed} workers killed, all was read {behind:.1f} s after the last one; {told.strip()}"
    )
    assert killed >= 2
    _each_once(project, sent[0])
    skew = subprocess.run([*command, "skew", "live", "sums"], capture_output=True, text=True, check=False)
    assert skew.returncode == 0, skew.stdout + skew.stderr


def _each_once(root: Path, sent: int) -> None:
    """In the source's files; and online is what they say."""
    files = str(root / "data" / "taps" / "*.jsonl")
    columns = "{tap: 'VARCHAR', user_id: 'BIGINT'}"
    scan = f"read_json('{files}', format='newline_delimited', columns={columns})"
    assert duckdb.sql(f"SELECT count(*), count(DISTINCT tap) FROM {scan}").fetchall() == [(sent + 1, sent + 1)]
    counted = dict(duckdb.sql(f"SELECT user_id, count(*) FROM {scan} GROUP BY 1").fetchall())
    users = sorted(counted)
    for view, output in (("live", "taps_lifetime"), ("sums", "count_lifetime")):
        online = Store(root).read(view, users, [output])[output].to_pylist()
        assert dict(zip(users, online, strict=True)) == counted


def _send(client: Any, stop: threading.Event, sent: list[int]) -> None:
    """`RATE` events a second; now and then one that was sent before."""
    begun = time.monotonic()
    while not stop.is_set():
        due = int((time.monotonic() - begun) * RATE)
        pipe = client.pipeline(transaction=False)
        while sent[0] < due:
            sent[0] += 1
            for number in (sent[0], sent[0] - 50) if sent[0] % 100 == 0 else (sent[0],):
                pipe.xadd(
                    "events:taps", {"event": json.dumps(tap(number, number * 7919 % int(USERS), datetime.now(UTC)))}
                )
        pipe.execute()
        time.sleep(0.02)


def _left(client: Any) -> int:
    """Entries that were not given to a worker, or not acknowledged."""
    (group,) = client.xinfo_groups("events:taps")
    return int(group["pending"]) + int(group["lag"])


def _consumers(client: Any) -> list[Any]:
    import redis

    try:
        return list(client.xinfo_consumers("events:taps", "limner"))
    except redis.ResponseError:
        return []


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _until(true: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_workers_behind_one_port(project: Path) -> None:  # noqa: F811
    """Who posts need not know how many there are, and sends again what was not answered: each event counts once."""
    apply(project / "feature_repo")
    materialize(project)
    port = free_port()
    command = [sys.executable, "-m", "limner.cli.main", "-C", str(project), "stream", "--workers", "2", "--json"]
    group = subprocess.Popen([*command, "--from", f"http://127.0.0.1:{port}"], stdout=subprocess.PIPE, text=True)
    try:
        _until(lambda: _posted(port, 1))
        _until(lambda: len(_listening(project)) == 2)
        for number in range(2, 60):
            if number == 20:
                os.kill(_children(group.pid)[0], signal.SIGKILL)
            _until(lambda number=number: _posted(port, number))
    finally:
        group.send_signal(signal.SIGTERM)
        told, _ = group.communicate(timeout=120)
    assert group.returncode == 0
    assert json.loads(told)["dead"] == 0
    _each_once(project, 59)


def _posted(port: int, number: int) -> bool:
    """Each on a connection of its own: the kernel chooses who answers."""
    body = json.dumps(tap(number, number % 7, datetime.now(UTC)))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/events/taps", body, {"content-type": "application/json"})
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return bool(answer.get("taken") or answer.get("repeated"))


def _listening(root: Path) -> list[Path]:
    """Workers that are there."""
    return list((root / "data" / "stream").glob("work-*"))
