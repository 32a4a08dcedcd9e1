"""`POST /events`: what became of each event, when it has happened; and what a body can get wrong."""

import json
import re
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
from limner.workers.stream.http_description import Form
from limner.workers.stream.http_input import HttpEvents
from limner.workers.stream.http_requests import Limits
from limner.workers.stream.inputs import Member
from limner.workers.stream.loop import Pace, follow
from tests.workers.stream.world import BEGIN, SECOND, World, click, visit

Post = Callable[..., tuple[int, Any]]
FORMS = {"clicks": Form("event_id", "at", ["event_id", "n", "at", "kind"]), "visits": Form("visit", "at")}


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
def events() -> HttpEvents:
    """Short of patience."""
    return HttpEvents("http://127.0.0.1:0", FORMS, limits=Limits(seconds=0.5))


@pytest.fixture
def post(world: World, events: HttpEvents) -> Iterator[Post]:
    """A worker behind a server."""
    stop = threading.Event()

    def work() -> None:
        with world.worker() as worker:
            follow(worker, events, stop.is_set, print, Pace())

    thread = threading.Thread(target=work)
    thread.start()
    while not _listens(events.port):
        time.sleep(0.01)

    def send(path: str, body: bytes, kind: str = "application/json", method: str = "POST", **more: str) -> Any:
        url = f"http://127.0.0.1:{events.port}{path}"
        headers = {"content-type": kind} | {name.replace("_", "-"): value for name, value in more.items()}
        request = urllib.request.Request(url, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    yield send
    stop.set()
    thread.join(60)
    events.close()


def raw(events: HttpEvents, sent: bytes, wait: float = 5) -> bytes:
    """What the server says to some bytes; the connection stays open until it does."""
    with socket.create_connection(("127.0.0.1", events.port), wait) as connection:
        connection.sendall(sent)
        connection.settimeout(wait)
        return whole(connection)


def whole(connection: socket.socket) -> bytes:
    """An answer, with its body."""
    found = b""
    while True:
        head, end, body = found.partition(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head)
        if end and (size is None or len(body) >= int(size[1])):
            return found
        more = connection.recv(100_000)
        if not more:
            return found
        found += more


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
    row = click(3, at=9, kind="购物") | {"deep": [[["\U0001f600"]]]}
    assert post("/events/clicks", json.dumps([row]).encode(), "Application/JSON;charset=UTF-8")[0] == 200
    assert world.log()["clicks"][-1]["kind"] == "购物"
    assert len(world.log()["clicks"]) == 4


BAD = (b"{", b"[]", b"", b'{"a": 1, "a": 2}', b"\xff", b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b"1" * 5000,
       b"[" * 100_000 + b"]" * 100_000, b'[{"a":' + b"[" * 990 + b"]" * 990 + b"}]")  # fmt: skip
REFUSED = (b"1", b"null", b'[[], "x"]', b"NaN", b"1e999", b"[" * 50 + b"]" * 50, b'["\\ud800"]', b'{"event_id": 1.5}',
           b'{"event_id": "x", "at": "2026-02-02", "big": 1' + b"0" * 30 + b"}",
           b'{"event_id": "x", "deep": ' + b"[" * 400 + b"]" * 400 + b"}")  # fmt: skip


def test_what_is_no_event_is_refused(world: World, post: Post) -> None:
    """400 where there are no events to be told apart, 422 with the reasons where none is one; never 500."""
    for body in BAD:
        assert post("/events/clicks", body)[0] == 400, body[:50]
    assert post("/events/clicks", b"\n \n", "application/x-ndjson")[0] == 400
    for body in REFUSED:
        status, found = post("/events/clicks", body)
        assert (status, found["taken"]) == (422, 0)
        assert found["refused"]
    status, found = post("/events/clicks", b'\xff\n{"a": \r1}\n[]', "application/jsonl")
    assert [each["reason"][:18] for each in found["refused"]] == [
        "not UTF-8 (byte 0)",
        "has no event_id",
        "expected an object",
    ]
    assert post("/events", b"{}")[0] == post("/events/nowhere", b"{}")[0] == post("/else", b"{}")[0] == 404
    assert (
        post("/events?source=clicks&source=visits", b"{}")[0] == post("/events/clicks?source=visits", b"{}")[0] == 400
    )
    assert post("/events/clicks", b"[" + b"{}," * 10_000 + b"{}]")[0] == 413
    assert post("/events/clicks", b'"' + b"x" * 10_000_000 + b'"')[0] == 413
    assert len(world.log()["clicks"]) == 1


def test_web_pages_and_forms_are_refused(world: World, post: Post, events: HttpEvents) -> None:
    """A browser sends plain text, forms and files to anybody without asking; for JSON it asks first, and is told no."""
    event = json.dumps(click(1, at=9)).encode()
    for kind in (
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "application/json; charset=utf-16",
    ):
        assert post("/events/clicks", event, kind)[0] == 415, kind
    assert post("/events/clicks", event, content_encoding="gzip")[0] == 415
    for origin in ("https://example.com", "null", "http://127.0.0.1"):
        assert post("/events/clicks", event, origin=origin)[0] == 403
    for host in (
        "example.com",
        f"example.com:{events.port}",
        "127.0.0.1.example.com",
        "10.0.0.1",
        "[",
        "a@127.0.0.2@b",
    ):
        assert post("/events/clicks", event, host=host)[0] == 421, host
    answer = raw(events, b"OPTIONS /events/clicks HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405")
    assert b"allow: POST" in answer
    assert b"access-control" not in answer.lower()
    assert len(world.log()["clicks"]) == 1
    for host in ("localhost", "LOCALHOST:1", "127.0.0.2", "[::1]:80"):
        assert post("/events/clicks", event, host=host)[0] == 200, host
    for method, path, status in (
        ("GET", "/events/clicks", 405),
        ("PUT", "/health", 405),
        ("DELETE", "/openapi.json", 405),
    ):
        assert post(path, b"", method=method)[0] == status
    with socket.create_connection(("127.0.0.1", events.port), 5) as connection:
        for _ in range(2):  # the second is answered at once: nothing was left over from the first
            connection.sendall(b"HEAD /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            head = connection.recv(10_000)
            assert head.startswith(b"HTTP/1.1 200")
            assert head.endswith(b"\r\n\r\n")


def test_a_client_that_is_slow_or_lies_holds_nobody(world: World, post: Post, events: HttpEvents) -> None:
    """A body has its time; then the connection is closed, and others are answered all the while."""
    event = json.dumps(click(1, at=9)).encode()
    head = b"POST /events/clicks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", events.port), 5) as slow:
        slow.sendall(head + b"Content-Length: 1000\r\n\r\n[")
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(event), event)
        assert raw(events, chunked + chunks).startswith(b"HTTP/1.1 200")
        told = whole(slow)
        assert told.startswith(b"HTTP/1.1 408")
        assert b"connection: close" in told.lower()
    assert raw(events, chunked + b"5\r\n[1,2,").startswith(b"HTTP/1.1 408")
    assert raw(events, chunked + b"zz\r\n").startswith(b"HTTP/1.1 400")
    assert raw(events, head + b"Content-Length: 2\r\n\r\n{}{}").startswith((b"HTTP/1.1 400", b"HTTP/1.1 422"))
    assert raw(events, head + b"Content-Length: -1\r\n\r\n").startswith(b"HTTP/1.1 400")
    assert raw(events, head + b"Content-Length: 99999999999999999999999\r\n\r\n{").startswith(
        (b"HTTP/1.1 400", b"HTTP/1.1 413")
    )
    assert raw(events, head + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}").startswith(b"HTTP/1.1 400")
    with socket.create_connection(("127.0.0.1", events.port), 5) as gone:
        gone.sendall(head + b"Content-Length: 1000\r\n\r\n[")
    assert post("/events/clicks", event)[1]["repeated"] == 1
    assert events._held.size == 0


def test_a_worker_that_is_behind_says_so() -> None:
    """Rather than that it keeps whatever comes; and whoever waits when it stops is told to come again."""
    events = HttpEvents("http://127.0.0.1:0", FORMS, limits=Limits(answer=0.2, all_events=3, all_size=1000))
    events.go_on(None, Member("group", 1, lambda _: True))
    head = "POST /events/clicks HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += "Content-Length: {}\r\n\r\n"

    def ask(body: str) -> bytes:
        return raw(events, (head.format(len(body)) + body).encode())

    for body, why in (("[1,2]", b"may have taken"), ("[3,4]", b"is behind:"), ("x" * 1001, b"too much waits")):
        told = ask(body)
        assert told.startswith(b"HTTP/1.1 503")
        assert b"retry-after: 1" in told
        assert why in told
    assert [each.body for each in events.take(9, 0).events] == [b"1", b"2"]
    with socket.create_connection(("127.0.0.1", events.port), 5) as waiting:
        waiting.sendall((head.format(3) + "[5]").encode())
        while not events._waiting:
            time.sleep(0.01)
        events.close()
        assert b"the worker" in whole(waiting)


def test_keys_are_asked_for_where_there_are_some(
    world: World, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Then it does not matter who asks. Health is told to anybody."""
    old, new = "a" * 20, "b" * 20
    monkeypatch.setenv("LIMNER_STREAM_API_KEY", f"{old} {new}")
    post: Post = request.getfixturevalue("post")
    event = json.dumps(click(1, at=9)).encode()
    assert post("/events/clicks", event)[0] == post("/events/clicks", event, x_api_key="c" * 20)[0] == 401
    assert post("/openapi.json", b"", method="GET")[0] == 401
    assert post("/health", b"", method="GET")[0] == 200
    assert post("/events/clicks", event, x_api_key=old, host="events.example.com")[1]["taken"] == 1
    assert post("/events/clicks", event, authorization=f"Bearer {new}")[1]["repeated"] == 1
    monkeypatch.setenv("LIMNER_STREAM_API_KEY", "short")
    with pytest.raises(LimnerError, match="at least 16"):
        HttpEvents("http://127.0.0.1:0", FORMS)


def test_it_describes_itself(post: Post) -> None:
    """The events of each source, with its id and timestamp."""
    status, told = post("/openapi.json", b"", method="GET")
    assert status == 200
    assert set(told["paths"]) == {"/events", "/events/clicks", "/events/visits", "/health", "/openapi.json"}
    event = told["components"]["schemas"]["Event_clicks"]
    assert event["required"] == ["event_id", "at"]
    assert set(event["properties"]) == {"event_id", "at", "n", "kind"}


def test_only_this_machine_is_listened_to() -> None:
    """Who else may send events is not for this server to say."""
    with pytest.raises(LimnerError, match="this machine only"):
        HttpEvents("http://0.0.0.0:0", FORMS)
