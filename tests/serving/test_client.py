"""`limner.Client` and `limner.AsyncClient` give what `limner.Store` gives; what fails is tried again, or says why."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import limner
from limner.benchmarks.ports import free_port
from limner.language.errors import LimnerError, UnavailableError, UnknownNameError
from tests.serving.world import Server

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("serving")]
KEYS = [3, 99, 1, 3]
VISITS = [{"kind": "book", "user_id": 2}, {"user_id": 99, "kind": "x"}]


class Waited:
    """An AsyncClient, each call waited for: the same tests hold for both."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()

        async def make() -> limner.AsyncClient:
            return limner.AsyncClient(*arguments, **options)

        self.client = self.loop.run_until_complete(make())

    def __getattr__(self, name: str) -> Callable[..., Any]:
        found = getattr(self.client, name)
        return lambda *a, **k: self.loop.run_until_complete(found(*a, **k)) if name != "forget" else found()


@pytest.fixture(params=[limner.Client, Waited], ids=["sync", "async"])
def make(request: pytest.FixtureRequest) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def build(port: int, **options: Any) -> Any:
        made.append(request.param(f"http://127.0.0.1:{port}", **options))
        return made[-1]

    yield build
    for each in made:
        each.close()


def test_answers_are_those_of_the_store(ours: Server, root: Path, make: Callable[..., Any]) -> None:
    """Dicts, tables and arrays of every type, strangers too, to the microsecond and the last bit."""
    client, store = make(ours.port), limner.Store(root)
    for name in ("everything", "both", "activity", "taste"):
        known = [store.profile(name, key) for key in KEYS]
        assert client.profiles(name, KEYS) == known
        assert [client.profile(name, key) for key in KEYS[:2]] == known[:2]
        assert client.read(name, np.array(KEYS)).equals(store.read(name, KEYS))
    assert client.profiles("visiting", VISITS) == [store.profile("visiting", key) for key in VISITS]
    assert client.read("visiting", {"kind": ["book"], "user_id": [2]}).equals(store.read("visiting", VISITS[:1]))
    assert client.profile("now", 3, request={"limit": 2}) == store.profile("now", 3, request={"limit": 2})
    assert set(client.profile("everything", 3, features=["dear"])) == {"user_id", "dear"}
    theirs, own = client.arrays("taste", KEYS), store.arrays("taste", KEYS)
    for name, column in own.items():
        np.testing.assert_array_equal(theirs[name], column)
        assert theirs[name].dtype == column.dtype
    near = client.similar("taste", "likes", 3, k=3)
    assert [(n.key["user_id"], n.similarity) for n in near] == [
        (n.key[0], n.similarity) for n in store.similar("taste", "likes", 3, 3)
    ]
    assert len(client.similar("taste", "likes", vector=own["likes"][0], k=20)) == 14
    found = client.get_online_features("everything", {"user_id": [3, 99]})
    profile = store.profile("everything", 3)
    assert profile is not None
    assert found["orders_7d"] == [profile["orders_7d"], None]
    assert client.get_online_features(["activity:dear"], {"user_id": np.array([3])}, full_feature_names=True) == {
        "user_id": [3], "activity__dear": [True]}  # fmt: skip


def test_refusals_are_errors_that_say_why(ours: Server, make: Callable[..., Any]) -> None:
    client = make(ours.port)
    with pytest.raises(UnknownNameError, match="did you mean 'everything'"):
        client.profile("everythin", 1)
    with pytest.raises(LimnerError, match="is an integer"):
        client.profile("everything", "x")
    with pytest.raises(LimnerError, match="cannot be asked over HTTP"):
        client.profile("everything", object())
    with pytest.raises(UnknownNameError, match="does not exist"):
        client.get_online_features(["nothing:at_all"], {"user_id": [1]})


def test_connections_are_kept(ours: Server) -> None:
    """Many calls, and threads at once, over no more connections than were free."""
    with limner.Client(f"http://127.0.0.1:{ours.port}", connections=2) as client:
        wrong: list[Exception] = []

        def ask() -> None:
            try:
                for key in range(1, 15):
                    assert (client.profile("taste", key) or {})["user_id"] == key
            except Exception as error:  # noqa: BLE001 - told to the test's own thread
                wrong.append(error)

        threads = [threading.Thread(target=ask) for _ in range(6)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert wrong == []
        assert len(client._free) == 2
    with pytest.raises(LimnerError, match="closed"):
        client.profile("taste", 1)


@contextmanager
def scripted(*answers: bytes | float | None) -> Iterator[tuple[int, list[bytes]]]:
    """A server that gives one answer a request: bytes, None to hang up, or seconds to stay silent."""
    heard: list[bytes] = []
    script = list(answers)

    def talk(connection: socket.socket) -> None:
        with connection:
            while script:
                asked = connection.recv(65536)
                if not asked:
                    return
                heard.append(asked)
                answer = script.pop(0)
                if answer is None:
                    return
                if isinstance(answer, float):
                    time.sleep(answer)
                    return
                connection.sendall(answer)

    def listen(server: socket.socket) -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=listen, args=(server,), daemon=True).start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)


def http(status: int, body: bytes = b'{"neighbours":[],"compared":0}', *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_a_kept_connection_that_was_closed_is_made_anew(make: Callable[..., Any]) -> None:
    """Also without a retry: the server may close it at any time."""
    with scripted(http(200), None, http(200)) as (port, heard):
        client = make(port, retries=0)
        assert [client.similar("v", "f", 1), client.similar("v", "f", 1)] == [[], []]
    assert len(heard) == 3


def test_what_is_busy_is_asked_again_and_not_for_ever(make: Callable[..., Any]) -> None:
    with scripted(http(503), http(502), http(200)) as (port, _):
        assert make(port).similar("v", "f", 1) == []
    with scripted(*[http(503, b'{"error":"too many"}')] * 9) as (port, heard):
        with pytest.raises(UnavailableError, match="too many"):
            make(port, retries=1).similar("v", "f", 1)
        assert len(heard) == 2


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422, 500, 504])
def test_what_was_refused_is_not_asked_again(make: Callable[..., Any], status: int) -> None:
    with scripted(*[http(status, b'{"error":"no"}')] * 3) as (port, heard):
        with pytest.raises(LimnerError, match="no"):
            make(port).similar("v", "f", 1)
        assert len(heard) == 1


def test_time_is_bounded_and_a_late_answer_is_no_other_calls_answer(make: Callable[..., Any]) -> None:
    with scripted(1.0, http(200)) as (port, _):
        client = make(port, timeout=0.3)
        begun = time.monotonic()
        with pytest.raises(UnavailableError, match="did not answer within"):
            client.similar("v", "f", 1)
        assert time.monotonic() - begun < 0.9
        assert client.similar("v", "f", 1) == []


def test_nobody_there_and_nonsense(make: Callable[..., Any]) -> None:
    with pytest.raises(UnavailableError, match="cannot reach the server"):
        make(free_port(), retries=1).similar("v", "f", 1)
    with scripted(b"nonsense\r\n\r\n") as (port, _), pytest.raises(LimnerError, match="no HTTP answer"):
        make(port).similar("v", "f", 1)


@pytest.mark.parametrize("url", ["127.0.0.1:6566", "ftp://a", "http://", "http://a:x", "http://a?b=c"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(LimnerError, match="no address"):
        limner.Client(url)


def test_the_cache_is_bounded_by_entries_and_seconds(make: Callable[..., Any]) -> None:
    """What is cached is not asked for; each caller has a value of its own."""
    bodies = [http(200, b'{"neighbours":[{"key":{"n":%d},"similarity":1.0}],"compared":1}' % n) for n in range(6)]
    with scripted(*bodies) as (port, heard):
        client = make(port, cache_entries=2, cache_seconds=0.5)
        first = client.similar("v", "f", 1)
        first[0].key["n"] = -1
        assert client.similar("v", "f", 1)[0].key == {"n": 0}
        client.similar("v", "f", 2)
        client.similar("v", "f", 1)  # used again: 2 goes first
        client.similar("v", "f", 3)
        assert len(heard) == 3
        assert client.similar("v", "f", 1)[0].key == {"n": 0}
        assert client.similar("v", "f", 2)[0].key == {"n": 3}
        client.forget()
        assert client.similar("v", "f", 2)[0].key == {"n": 4}
        time.sleep(0.6)
        assert client.similar("v", "f", 2)[0].key == {"n": 5}
    for bounds in ({"cache_entries": 1}, {"cache_seconds": 1.0}, {"cache_entries": -1, "cache_seconds": 1.0}):
        with pytest.raises(LimnerError, match="both its bounds"):
            make(port, **bounds)
