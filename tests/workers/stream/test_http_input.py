"""`POST /events`: what became of each event, when it has happened; and what a body can get wrong."""

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from limner.language.errors import LimnerError
from limner.workers.stream.http_input import HttpEvents
from limner.workers.stream.loop import Pace, follow
from tests.workers.stream.world import BEGIN, SECOND, World, click, visit

Post = Callable[..., tuple[int, Any]]


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.now = BEGIN + SECOND
    made.materialize()
    made.now += 10 * SECOND
    return made


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture
def post(world: World) -> Iterator[Post]:
    """A worker behind a server."""
    events = HttpEvents("http://127.0.0.1:0", ["clicks", "visits"], {"clicks": "event_id", "visits": "visit"})
    stop = threading.Event()

    def work() -> None:
        with world.worker() as worker:
            follow(worker, events, stop.is_set, print, Pace())

    thread = threading.Thread(target=work)
    thread.start()
    while not _listens(events.port):
        time.sleep(0.01)

    def send(path: str, body: bytes, kind: str = "application/json", method: str = "POST") -> tuple[int, Any]:
        url = f"http://127.0.0.1:{events.port}{path}"
        request = urllib.request.Request(url, body, {"content-type": kind}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    yield send
    stop.set()
    thread.join(60)
    events.close()


def test_each_event_is_told_what_became_of_it(world: World, post: Post) -> None:
    """Taken, repeated, refused with the reason, or taken and of no use to a view."""
    rows = [click(1, at=9), {"n": 1}, click(2, at=9, amount=-1), click(1, at=9)]
    status, found = post("/events/clicks", json.dumps(rows).encode())
    assert status == 200
    assert found == {
        "taken": 2,
        "repeated": 1,
        "refused": [{"event": 1, "reason": "has no event_id"}],
        "quarantined": [{"id": "c2", "reason": "now: amount < 0"}, {"id": "c2", "reason": "short: amount < 0"}],
    }
    lines = "".join(json.dumps(visit(n, at=8)) + "\n" for n in range(1, 3)).encode()
    assert post("/events?source=visits", lines, "application/x-ndjson")[1]["taken"] == 2
    assert post("/health", b"", method="GET") == (200, {"status": "ok"})
    for body, kind in (
        (b"{", ""),
        (b"[]", ""),
        (b"", "application/x-ndjson"),
        (b'{"a": 1, "a": 2}', ""),
        (b"\xff", ""),
    ):
        assert post("/events/clicks", body, kind)[0] == 400
    for body in (b"1", b"null", b'[[], "x"]', b"NaN", b"1e999", b"[" * 50 + b"]" * 50):
        status, found = post("/events/clicks", body)
        assert status == 200
        assert found["taken"] == 0
        assert found["refused"]
    assert post("/events/clicks", b"[" * 100_000 + b"]" * 100_000)[0] == 400
    assert post("/events", b"{}")[0] == post("/events/nowhere", b"{}")[0] == post("/else", b"{}")[0] == 404
    assert post("/events/clicks", b"", method="GET")[0] == 405
    assert post("/events/clicks", b"[" + b"{}," * 10_000 + b"{}]")[0] == 413
    assert post("/events/clicks", b'"' + b"x" * 10_000_000 + b'"')[0] == 413
    assert len(world.log()["clicks"]) == 3


def test_only_this_machine_is_listened_to() -> None:
    """Who else may send events is not for this server to say."""
    with pytest.raises(LimnerError, match="this machine only"):
        HttpEvents("http://0.0.0.0:0", ["clicks"], {})
