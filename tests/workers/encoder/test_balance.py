"""Requests shared out among servers: who gets which, and what becomes of a server that fails."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from limner.language.errors import LimnerError
from limner.workers.encoder import patience
from limner.workers.encoder.balance import Balanced, places
from limner.workers.encoder.client import TritonEncoder
from limner.workers.encoder.errors import EncoderUnavailable
from limner.workers.encoder.settings import TritonSettings
from limner.workers.encoder.transport import Fault, Floats, Transport, TransportError
from tests.workers.encoder.test_client import MODEL


class Server:
    """Answers until `fault` is set; being loaded again mends it. `hold` keeps requests waiting."""

    def __init__(self, url: str, fault: Fault | None = None) -> None:
        self.url, self.fault, self.texts, self.loads = url, fault, 0, 0
        self.hold: Callable[[], object] = lambda: None
        self.fingerprint = MODEL.fingerprint
        self.lock = threading.Lock()

    def infer(self, model: str, version: str, texts: list[bytes], timeout: float) -> Floats:
        self.hold()
        if self.fault is not None:
            raise TransportError(self.fault, f"{self.url} fails")
        with self.lock:
            self.texts += len(texts)
        return np.ones((len(texts), MODEL.dim), np.float32)

    def parameters(self, model: str, version: str = "") -> dict[str, str]:
        if self.fault in (Fault.UNAVAILABLE, Fault.MISSING):
            raise TransportError(self.fault, f"{self.url} fails")
        return {"FINGERPRINT": self.fingerprint}

    def unload(self, model: str, timeout: float = 60.0) -> None:
        pass

    def load(self, model: str, timeout: float = 300.0) -> None:
        self.loads += 1
        self.fault = None


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.0)


@pytest.fixture
def pair() -> tuple[Server, Server]:
    return Server("a:1"), Server("b:1")


def balanced(*servers: Transport, clock: Clock | None = None) -> Balanced:
    return Balanced([[server] for server in servers], clock or Clock())


def ask(transport: Balanced, requests: int = 1) -> None:
    for _ in range(requests):
        transport.infer("tiny", "1", [b"a"], 1.0)


def client(*servers: Server, **settings: object) -> TritonEncoder:
    return TritonEncoder(TritonSettings.from_mapping({"attempts": 4, **settings}), MODEL, balanced(*servers))


def test_idle_servers_take_turns(pair: tuple[Server, Server]) -> None:
    ask(balanced(*pair), 10)
    assert [server.texts for server in pair] == [5, 5]


def test_a_slow_server_gets_fewer(pair: tuple[Server, Server]) -> None:
    """While one request hangs at one server the other serves all the rest."""
    free = threading.Event()
    pair[0].hold = free.wait
    with ThreadPoolExecutor(2) as threads:
        transport = balanced(*pair)
        hanging = threads.submit(ask, transport)
        while not transport.lines[0].outstanding:
            pass
        ask(transport, 9)
        free.set()
        hanging.result()
    assert [server.texts for server in pair] == [1, 9]


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.TIMEOUT, Fault.MISSING])
def test_a_server_that_fails_is_left_alone_and_tried_again_later(pair: tuple[Server, Server], fault: Fault) -> None:
    """Its request goes to the other one at once; its rest grows until it answers."""
    clock, hurt = Clock(), pair[0]
    transport = balanced(*pair, clock=clock)
    hurt.fault = fault
    calls = []
    hurt.hold = lambda: calls.append(clock.now)
    while clock.now < 10:
        ask(transport, 2)
        clock.now += 0.5
    assert pair[1].texts == 40
    assert calls == [0.0, 1.0, 3.0, 7.0]
    hurt.fault = None
    clock.now = 15.0
    ask(transport, 10)
    assert hurt.texts == 5


def test_where_all_fail_the_failure_is_told_and_the_next_request_tries_again(pair: tuple[Server, Server]) -> None:
    for server in pair:
        server.fault = Fault.UNAVAILABLE
    transport = balanced(*pair)
    for _ in range(3):
        with pytest.raises(TransportError, match="fails"):
            ask(transport)
    for server in pair:
        server.fault = None
    ask(transport)
    assert sum(server.texts for server in pair) == 1


@pytest.mark.parametrize("fault", [Fault.BAD_TEXT, Fault.BUG, Fault.ENGINE])
def test_what_a_text_causes_is_not_passed_on(pair: tuple[Server, Server], fault: Fault) -> None:
    pair[0].fault = fault
    with pytest.raises(TransportError):
        ask(balanced(*pair))
    assert pair[1].texts == 0


def test_a_dead_model_is_mended_where_it_died(pair: tuple[Server, Server]) -> None:
    """The other server keeps its model, and every text gets its vector."""
    pair[1].fault = Fault.DEAD
    encoded = client(*pair, rows_per_request=1, in_flight=2).encode(["text"] * 100)
    assert not encoded.failures
    assert [server.loads for server in pair] == [0, 1]
    assert all(server.texts for server in pair)


def test_one_server_that_answers_is_enough_to_begin(pair: tuple[Server, Server]) -> None:
    pair[0].fault = Fault.UNAVAILABLE
    client(*pair).check()
    pair[1].fault = Fault.UNAVAILABLE
    with pytest.raises(EncoderUnavailable, match="does not answer"):
        client(*pair).check()


def test_a_server_with_another_encoder_is_named_before_work_begins(pair: tuple[Server, Server]) -> None:
    pair[1].fingerprint = "00" * 32
    with pytest.raises(EncoderUnavailable, match="Triton at b:1 serves encoder 'tiny' as 000000"):
        client(*pair).check()
    pair[1].fault = Fault.MISSING
    with pytest.raises(EncoderUnavailable, match="Triton at b:1 does not serve encoder 'tiny'"):
        client(*pair).check()


def test_addresses_are_those_listed_and_all_of_a_name() -> None:
    assert places(TritonSettings(url="gpu1:8001, gpu2:8001")) == ["gpu1:8001", "gpu2:8001"]
    assert "127.0.0.1:8001" in places(TritonSettings(url="dns:///localhost:8001"))
    with pytest.raises(LimnerError, match="cannot be resolved"):
        places(TritonSettings(url="dns:///nowhere.invalid:8001"))
    with pytest.raises(LimnerError, match="expected host:port"):
        TritonSettings(url="gpu1:8001,gpu2")
