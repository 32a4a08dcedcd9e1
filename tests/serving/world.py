"""A project with one of everything that can be served, and real servers over it on loopback ports."""

import http.client
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.benchmarks.ports import free_port
from tests.integration.feast_project import DAY, FIRST, OWN, Event, apply, events, make_project

SPECS = """
entity: user
join_keys: {user_id: int}
---
entity: visit
join_keys: {kind: string, user_id: int}
---
source: events
path: events/*.parquet
entity: user
event_timestamp: at
---
source: visits
path: events/*.parquet
event_timestamp: at
---
encoder: words
hashing: {features: 16}
---
feature_view: activity
entity: user
source: events
every: 1d
features:
  orders: {count: "*", over: [7d]}
  spend: {sum: amount, over: [7d]}
  mean_spend: {mean: amount, over: 2d}
  favourite: {top: 2, of: kind, over: 30d}
  spent: {sum: amount, by: kind, over: 3d}
  newest: {last: kind}
  last_order: {last: event_timestamp}
  dear: {max: big}
---
feature_view: taste
entity: user
source: events
every: 1d
features:
  orders: {count: "*", over: 3d}
  likes: {embed: "{kind} {kind}", encoder: words, over: 30d, pool: mean}
---
feature_view: visits
entity: visit
source: visits
every: event
features:
  bought: {count: "*", over: [2d, lifetime]}
---
request_view: asked
entity: user
request: {limit: int}
features: {above: {expression: activity.orders_7d > limit}}
---
profile: everything
features: [activity]
---
profile: both
features: [taste: [likes], activity: [orders_7d, last_order]]
---
profile: visiting
features: [visits, activity: [orders_7d]]
---
profile: now
features: [asked, activity: [spend_7d]]
"""
END = FIRST + 20 * DAY
ROWS = events(count=400, users=14, days=18, seed=3)
Answer = tuple[int, Any, dict[str, str]]


def make_world(root: Path, online: str = OWN, rows: Sequence[Event] = ROWS) -> Path:
    """Apply and materialize it; tasks have to run in this process."""
    make_project(root, rows, online=online, specs=SPECS)
    apply(root / "feature_repo").materialize(FIRST, END)
    return root


@dataclass
class Server:
    """A server that runs, and one connection to it."""

    port: int
    process: "subprocess.Popen[Any] | None" = None
    again: bool = False  # ask again where it hangs up: `feast serve` does so after it has said that something is wrong

    def __post_init__(self) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Status, body (JSON as what it means) and headers of an answer."""
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        given = {"content-type": "application/json"} if body is not None else {}
        try:
            self.connection.request(method, path, sent, given | dict(headers or {}))
            answer = self.connection.getresponse()
        except ConnectionError:
            if not self.again:
                raise
            self.connection.close()
            self.connection.request(method, path, sent, given | dict(headers or {}))
            answer = self.connection.getresponse()
        raw, found = answer.read(), {name.lower(): value for name, value in answer.getheaders()}
        if answer.will_close:
            self.connection.close()
        told = json.loads(raw) if raw and found.get("content-type", "").startswith("application/json") else raw
        return answer.status, told, found

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        """POST JSON."""
        return self.ask("POST", path, body, headers)


@contextmanager
def limner_serve(root: Path, *options: str, env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """`limner serve` on a free port."""
    line = [sys.executable, "-m", "limner.cli.main", "-C", str(root), "serve", "--port", "0", *options]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, env=dict(os.environ) | dict(env or {}))
    try:
        assert process.stderr is not None
        told = process.stderr.readline()
        while "serving" not in told:
            assert told, process.wait()
            told = process.stderr.readline()
        found = re.search(r":(\d+) ", told)
        assert found is not None, told
        server = Server(int(found[1]), process)
        wait_for(server.port, process)
        yield server
    finally:
        _end(process)


@contextmanager
def feast_serve(repo: Path) -> Iterator[Server]:
    """Stock `feast serve` on a free port."""
    port = free_port()
    feast = Path(sys.executable).with_name("feast")
    line = [str(feast), "-c", str(repo), "serve", "-p", str(port), "--no-access-log", "-w", "1"]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for(port, process)
        yield Server(port, process, again=True)
    finally:
        _end(process)


def wait_for(port: int, process: "subprocess.Popen[Any]", path: str = "/health", seconds: float = 90) -> None:
    """Until the server answers."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            Server(port, again=True).ask("GET", path)
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the server does not answer")


def _end(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
