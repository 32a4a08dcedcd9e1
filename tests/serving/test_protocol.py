"""The short way of the protocol: the same answers as uvicorn's, however a request comes in.

A request that asks for `100-continue` goes uvicorn's way, and one that comes whole the short one, where it can.
"""

import asyncio
import json
import socket
import time
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
import uvicorn
from prometheus_client.parser import text_string_to_metric_families
from uvicorn.server import ServerState

from limner.serving.messages import Reply, Scope
from limner.serving.protocol import ShortWay
from tests.serving.world import Server

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("serving")]
FEAST = {"features": ["activity:orders_7d", "taste:likes"], "entities": {"user_id": [3, 99]}}
LEAN = {"profile": "everything", "keys": [1, 2]}
JSON = "content-type: application/json\r\n"
Response = tuple[int, dict[str, str], bytes]

ASKED: dict[str, tuple[str, str, str, bytes]] = {
    "Feast's request": ("POST", "/get-online-features", JSON, json.dumps(FEAST).encode()),
    "the same with a query": ("POST", "/get-online-features?a=b", JSON, json.dumps(FEAST).encode()),
    "one that Feast refuses": ("POST", "/get-online-features", JSON, b'{"features": ["no:such"], "entities": {}}'),
    "one that is no JSON": ("POST", "/get-online-features", JSON, b"{"),
    "profiles": ("POST", "/profiles", JSON, json.dumps(LEAN).encode()),
    "profiles as Arrow": (
        "POST", "/profiles", JSON + "accept: application/vnd.apache.arrow.stream\r\n", json.dumps(LEAN).encode(),
    ),
    "profiles as something else": ("POST", "/profiles", JSON + "accept: text/html\r\n", json.dumps(LEAN).encode()),
    "no profile": ("POST", "/profiles", JSON, b'{"profile": "nothing", "keys": [1]}'),
    "texts": ("POST", "/profiles", "content-type: text/plain\r\n", json.dumps(LEAN).encode()),
    "more keys than a short read has": (
        "POST", "/profiles", JSON, json.dumps({"profile": "everything", "keys": list(range(500))}).encode(),
    ),
    "a long body": ("POST", "/profiles", JSON, json.dumps(LEAN).encode() + b" " * 100_000),
    "a profile": ("GET", "/profiles/everything/3", "", b""),
    "its header": ("HEAD", "/profiles/everything/3", "", b""),
    "some features": ("GET", "/profiles/everything/3?features=orders_7d,dear", "", b""),
    "no feature": ("GET", "/profiles/everything/3?features=", "", b""),
    "nobody": ("GET", "/profiles/everything/9999", "", b""),
    "a key in percents": ("GET", "/profiles/everything/%33", "", b""),
    "a broken key": ("GET", "/profiles/everything/%ff", "", b""),
    "two keys": ("GET", "/profiles/everything/3/4", "", b""),
    "a list": ("GET", "/profiles", "", b""),
    "another method": ("DELETE", "/profiles/everything/3", "", b""),
    "another route": ("GET", "/profile", "", b""),
    "health": ("GET", "/health/live", "", b""),
}  # fmt: skip


@pytest.fixture
def raw(ours: Server) -> Any:
    with socket.create_connection(("127.0.0.1", ours.port), timeout=20) as made:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield made


def request(name: str, more: str = "", version: str = "1.1") -> bytes:
    method, path, headers, body = ASKED[name]
    length = f"content-length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/{version}\r\nhost: x\r\n{headers}{more}{length}\r\n".encode() + body


def answer(connection: socket.socket, got: bytearray, *, head: bool = False) -> Response:
    """The next one; what comes behind it stays in `got`."""
    while b"\r\n\r\n" not in got:
        got += more(connection)
    told, _, _ = bytes(got).partition(b"\r\n\r\n")
    status, *lines = told.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    length = 0 if head else int(headers["content-length"])
    del got[: len(told) + 4]
    while len(got) < length:
        got += more(connection)
    body = bytes(got[:length])
    del got[:length]
    return int(status.split()[1]), headers, body


def more(connection: socket.socket) -> bytes:
    found = connection.recv(1 << 16)
    assert found, "the server hung up"
    return found


def send(connection: socket.socket, parts: Sequence[bytes], pause: float = 0.0) -> None:
    for part in parts:
        connection.sendall(part)
        time.sleep(pause)


@pytest.mark.parametrize("name", list(ASKED))
def test_however_a_request_comes_it_is_answered_alike(raw: socket.socket, name: str) -> None:
    """uvicorn's way; whole; head and body by themselves; in three pieces; the body a while later, and at once again."""
    got, head = bytearray(), ASKED[name][0] == "HEAD"
    whole, body = request(name), len(ASKED[name][3])
    split = len(whole) - body
    uvicorns = request(name, "expect: 100-continue\r\n")
    send(raw, [uvicorns])
    while not bytes(got).startswith(b"HTTP/1.1 "):
        got += more(raw)
    if got.startswith(b"HTTP/1.1 100"):
        while b"\r\n\r\n" not in got:
            got += more(raw)
        del got[: got.index(b"\r\n\r\n") + 4]
    wanted = answer(raw, got, head=head)
    ways = [([whole], 0.0), ([whole[:split], whole[split:]], 0.005), ([whole[:9], whole[9:-9], whole[-9:]], 0.005),
            ([whole[:split], whole[split:]], 0.1 if body else 0.0), ([whole], 0.0)]  # fmt: skip
    for parts, pause in ways:
        send(raw, [part for part in parts if part], pause)
        assert answer(raw, got, head=head) == wanted
    assert not got


def test_requests_on_one_connection_are_answered_in_their_order(raw: socket.socket) -> None:
    """Sent without waiting, those with and without a short way mixed, and cut anywhere."""
    random, got = Random(7), bytearray()
    alone = {}
    for name in ASKED:
        send(raw, [request(name)])
        alone[name] = answer(raw, got, head=ASKED[name][0] == "HEAD")
    for _ in range(15):
        names = random.choices(list(ASKED), k=random.randint(2, 12))
        line = b"".join(map(request, names))
        cuts = sorted(random.sample(range(1, len(line)), random.randint(0, 4)))
        send(raw, [line[a:b] for a, b in zip([0, *cuts], [*cuts, len(line)], strict=True)], random.choice([0, 0.002]))
        for name in names:
            assert answer(raw, got, head=ASKED[name][0] == "HEAD") == alone[name], names
    assert not got


def test_a_body_in_chunks(raw: socket.socket) -> None:
    method, path, headers, body = ASKED["profiles"]
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}transfer-encoding: chunked\r\n\r\n".encode()
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:5], body[5:])] + [b"0\r\n\r\n"]
    got = bytearray()
    send(raw, [request("profiles")])
    wanted = answer(raw, got)
    for parts in ([head + b"".join(chunks)], [head, *chunks]):
        send(raw, parts, 0.005)
        assert answer(raw, got) == wanted


@pytest.mark.parametrize(("version", "more_headers"), [("1.0", ""), ("1.1", "connection: close\r\n")])
def test_a_connection_that_is_not_to_be_kept_is_closed(raw: socket.socket, version: str, more_headers: str) -> None:
    got = bytearray()
    send(raw, [request("a profile", more_headers, version)])
    status, headers, _ = answer(raw, got)
    assert (status, headers.get("connection", "close")) == (200, "close")
    assert raw.recv(10) == b""


def test_nonsense_behind_good_headers_is_refused(raw: socket.socket) -> None:
    """The request is held when the parser finds out."""
    send(raw, [b"POST /profiles HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nno number\r\n"])
    assert answer(raw, bytearray())[0] == 400
    assert raw.recv(10) == b""


def test_who_hangs_up_in_the_middle_harms_nobody(ours: Server) -> None:
    for part in (request("profiles")[:-5], request("profiles")[:40]):
        with socket.create_connection(("127.0.0.1", ours.port), timeout=20) as left:
            left.sendall(part)
    assert ours.post("/profiles", LEAN)[0] == 200


def test_both_ways_are_counted_alike(ours: Server, raw: socket.socket) -> None:
    def counted() -> dict[str, float]:
        text = ours.ask("GET", "/metrics")[1].decode()
        return {
            sample.name: sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.labels in ({"route": "/profiles", "status": "200"}, {"route": "/profiles"},
                                 {"profile": "everything"})
        }  # fmt: skip

    got, before = bytearray(), counted()
    for more_headers in ("", "expect: 100-continue\r\n"):
        send(raw, [request("profiles", more_headers)])
        while answer_or_continue(raw, got) == 100:
            pass
        after = counted()
        grown = {name: after[name] - before.get(name, 0) for name in after}
        assert grown["limner_requests_total"] == grown["limner_request_seconds_count"] == 1
        assert grown["limner_keys_total"] == 2
        assert grown["limner_missing_keys_total"] == 0
        before = after


def answer_or_continue(connection: socket.socket, got: bytearray) -> int:
    while b"\r\n\r\n" not in got:
        got += more(connection)
    if got.startswith(b"HTTP/1.1 100"):
        del got[: got.index(b"\r\n\r\n") + 4]
        return 100
    return answer(connection, got)[0]


class App:
    """It answers `/short` at once."""

    def __init__(self) -> None:
        self.offered: list[bytes] = []
        self.called: list[bytes] = []

    def at_once(self, scope: Scope, body: bytes) -> Reply | None:
        self.offered.append(scope["raw_path"])
        return Reply(body) if scope["raw_path"] == b"/short" else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.called.append(scope["raw_path"])
        while (await receive()).get("more_body"):
            pass
        await Reply(b"long").send(send)


class Wire(asyncio.Transport):
    """What a connection writes."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.closed = b"", False

    def write(self, data: Any) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def resume_reading(self) -> None: ...

    def pause_reading(self) -> None: ...


def connected() -> tuple[App, Wire, ShortWay]:
    app, wire = App(), Wire()
    config = uvicorn.Config(app, http=ShortWay, ws="none", lifespan="off", proxy_headers=False, log_config=None)
    config.load()
    connection = ShortWay(config=config, server_state=ServerState(), app_state={})
    connection.connection_made(wire)
    return app, wire, connection


def post(path: str, more_headers: str = "", length: int = 2) -> bytes:
    return f"POST {path} HTTP/1.1\r\nhost: x\r\n{more_headers}content-length: {length}\r\n\r\n".encode() + b"ab"


def test_what_can_be_answered_at_once_needs_no_task() -> None:
    """Only the first of several that come together, and none while one before it is being answered."""

    async def play() -> None:
        app, wire, connection = connected()
        connection.data_received(post("/short"))
        assert (wire.sent[-6:], app.offered, app.called) == (b"\r\n\r\nab", [b"/short"], [])
        connection.data_received(post("/long"))
        assert (len(app.offered), app.called) == (2, [])  # its task has not run yet
        connection.data_received(post("/short"))
        assert len(app.offered) == 2
        await asyncio.sleep(0.01)
        assert app.called == [b"/long", b"/short"]
        connection.data_received(post("/short") * 3)
        assert len(app.offered) == 3
        await asyncio.sleep(0.01)
        assert app.called[2:] == [b"/short"] * 2
        connection.data_received(post("/short", "expect: 100-continue\r\n"))
        assert len(app.offered) == 3
        await asyncio.sleep(0.01)
        assert b"HTTP/1.1 100 Continue" in wire.sent

    asyncio.run(play())


def test_what_does_not_come_is_not_held_for_long() -> None:
    """Nor what is long; and a server that ends lets it go at once."""

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: failed.append(told))
        app, wire, connection = connected()
        connection.data_received(post("/short", length=3))
        await asyncio.sleep(0.01)
        assert app.called == []
        await asyncio.sleep(0.1)
        assert app.called == [b"/short"]
        connection.data_received(b"c")
        await asyncio.sleep(0.01)
        assert wire.sent.endswith(b"long")

        app, wire, connection = connected()
        connection.data_received(post("/short", length=100_000) + b"x" * 70_000)
        await asyncio.sleep(0.01)
        assert app.called == [b"/short"]

        app, wire, connection = connected()
        connection.data_received(post("/short", length=3))
        connection.shutdown()
        assert not wire.closed
        connection.data_received(b"c")
        await asyncio.sleep(0.01)
        assert wire.sent.endswith(b"long")
        assert wire.closed

        app, wire, connection = connected()
        connection.data_received(post("/short", length=3))
        connection.connection_lost(None)
        await asyncio.sleep(0.1)
        assert app.called == []

        app, wire, connection = connected()
        connection.data_received(b"POST /short HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n")
        connection.data_received(b"no number\r\n")
        await asyncio.sleep(0.1)
        assert wire.sent.startswith(b"HTTP/1.1 400")
        assert app.called == []
        assert failed == []

    failed: list[Any] = []
    asyncio.run(play())
