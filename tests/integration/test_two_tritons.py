"""Two real Triton servers share the texts: two addresses, or one address of a balancer that knows only connections."""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from limner.workers.encoder import server as process
from limner.workers.encoder import serving
from limner.workers.encoder.balance import Balanced
from limner.workers.encoder.client import TritonEncoder
from tests.integration.triton_server import TritonServer, start_server

pytestmark = pytest.mark.integration

TEXTS = [f"snack {number} with {'salt ' * (number % 17)}" for number in range(4_000)]
# About a half on machines of their own: whichever answers faster gets more, and here they share two cores.
LEAST = 0.2


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[TritonServer]]:
    started: list[TritonServer] = []
    try:
        for name in ("one", "two"):
            started.append(start_server(tmp_path_factory.mktemp(name)))
        yield started
    finally:
        for each in started:
            each.down()


@contextlib.contextmanager
def balancer_of_connections(ports: list[int]) -> Iterator[int]:
    """A TCP proxy that gives each new connection to the next server; yields its port."""
    listening = socket.create_server(("127.0.0.1", 0))
    taken = 0

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        nonlocal taken
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            upstream = socket.create_connection(("127.0.0.1", ports[taken % len(ports)]))
            taken += 1
            for pair in ((client, upstream), (upstream, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def encoder(pair: list[TritonServer], url: str) -> TritonEncoder:
    settings = replace(pair[0].settings, url=url, rows_per_request=64)
    return TritonEncoder(settings, pair[0].models["tiny"])


def shares(pair: list[TritonServer], work: Callable[[], object]) -> list[float]:
    """The share of the texts that each server inferred during `work`, by its own statistics."""
    before = [each.server_rows("tiny") for each in pair]
    work()
    rows = [each.server_rows("tiny") - known for each, known in zip(pair, before, strict=True)]
    return [each / sum(rows) for each in rows]


def urls(pair: list[TritonServer]) -> str:
    return ",".join(each.settings.url for each in pair)


def test_two_addresses_share_the_texts(pair: list[TritonServer]) -> None:
    """About a half each, and the vectors of one server to the last bit."""
    client = encoder(pair, urls(pair))
    client.check()
    found: list[np.ndarray] = []
    assert min(shares(pair, lambda: found.append(client.encode(TEXTS).vectors))) > LEAST
    alone = encoder(pair, pair[0].settings.url).encode(TEXTS).vectors
    np.testing.assert_array_equal(found[0], alone)


def test_one_address_of_a_balancer_of_connections_shares_the_texts(pair: list[TritonServer]) -> None:
    """One connection would give all to one server; each request in flight has its own."""
    with balancer_of_connections([each.settings.grpc_port for each in pair]) as port:
        client = encoder(pair, f"127.0.0.1:{port}")
        assert min(shares(pair, lambda: client.encode(TEXTS))) > LEAST


def test_status_tells_of_each_server(pair: list[TritonServer]) -> None:
    settings = replace(pair[0].settings, url=urls(pair))
    found = serving.status(settings, list(pair[0].models.values()))
    assert [(each.url, each.state) for each in found] == [(each.settings.url, "ok") for each in pair]


def test_one_that_dies_on_the_way_leaves_its_share_to_the_other(pair: list[TritonServer]) -> None:
    """No text is lost; and once it is back it gets its share again."""
    client = encoder(pair, urls(pair))
    running = process.find(pair[1].home)
    assert running is not None
    done = 0

    def kill_in_the_middle(rows: int) -> None:
        nonlocal done
        done += rows
        if done >= len(TEXTS) // 4:
            running.process.signal(signal.SIGKILL)

    encoded = client.encode(TEXTS, kill_in_the_middle)
    assert not encoded.failures
    assert np.isfinite(encoded.vectors).all()
    client.check()
    pair[1].up()
    transport = client.transport
    assert isinstance(transport, Balanced)
    for line in transport.lines:
        line.rests_until = 0.0  # instead of waiting
    client.encode(TEXTS)  # one that has just started is slow at first
    assert min(shares(pair, lambda: client.encode(TEXTS))) > LEAST
