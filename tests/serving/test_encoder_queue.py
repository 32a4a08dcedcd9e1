"""`/metrics` says how the queue of a real Triton stands; where it does not answer, that, and nothing else fails."""

import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.triton_server import TritonServer
from tests.serving.world import Server, limner_serve

pytestmark = pytest.mark.integration
NAMES = ("limner_encoder_requests_total", "limner_encoder_queue_seconds_total")


class Relay:
    """A port that leads to another one while it is open: a server that can go without being stopped."""

    def __init__(self, port: int) -> None:
        self._to, self._listener, self._pipes = port, socket.create_server(("127.0.0.1", 0)), list[socket.socket]()
        self.port = int(self._listener.getsockname()[1])
        self._serve()

    def _serve(self) -> None:
        listener = self._listener

        def accept() -> None:
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                far = socket.create_connection(("127.0.0.1", self._to))
                self._pipes += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=_copy, args=(one, other), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()

    def close(self) -> None:
        """Refuse connections, and break those that are there."""
        _shut(self._listener)
        for pipe in self._pipes:
            _shut(pipe)
        self._pipes.clear()

    def open(self) -> None:
        """Lead there again."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()


def _copy(one: socket.socket, other: socket.socket) -> None:
    with suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
    _shut(other)


def _shut(found: socket.socket) -> None:
    with suppress(OSError):
        found.shutdown(socket.SHUT_RDWR)
    found.close()


@contextmanager
def serving(root: Path, copy: Path, triton: str) -> Iterator[Server]:
    """`limner serve` of a project that names these Tritons."""
    shutil.copytree(root, copy)
    settings = copy / "feature_repo" / "feature_store.yaml"
    settings.write_text(settings.read_text().replace("shards: 2", f"shards: 2, triton: {{url: '{triton}'}}"))
    with limner_serve(copy) as server:
        yield server


def scraped(server: Server) -> dict[str, float]:
    """Figures of encoders, by name and labels."""
    status, body, _ = server.ask("GET", "/metrics")
    assert status == 200
    lines = [line for line in body.decode().splitlines() if line.startswith("limner_encoder_")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def of(figures: dict[str, float], name: str, model: str) -> float | None:
    """A figure of a model, whatever Triton it is of."""
    found = [value for key, value in figures.items() if re.match(rf'{name}{{.*model="{re.escape(model)}"', key)]
    return found[0] if found else None


def soon(server: Server, holds: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """Figures that are as they should be; statistics follow the answers a moment later."""
    deadline = time.monotonic() + 20
    while not holds(found := scraped(server)):
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return found


def test_the_queue_of_an_encoder_appears_moves_goes_and_comes_back(
    root: Path, tmp_path: Path, triton: TritonServer
) -> None:
    """Counters grow with what is encoded; a Triton that is gone has `up` 0 and no figures, and profiles go on."""
    model = triton.models["tiny"]
    relay = Relay(int(triton.settings.url.rsplit(":", 1)[1]))
    with closing(relay), serving(root, tmp_path / "shop", f"127.0.0.1:{relay.port}") as server:
        up = f'limner_encoder_up{{triton="127.0.0.1:{relay.port}"}}'
        before = soon(server, lambda found: found.get(up) == 1)
        counted = of(before, NAMES[0], model.name)
        assert counted is not None
        assert of(before, NAMES[1], model.name) is not None
        triton.client(model).encode([f"text {number}" for number in range(40)])
        after = soon(server, lambda found: (of(found, NAMES[0], model.name) or 0) > counted)
        assert (of(after, NAMES[1], model.name) or 0) > (of(before, NAMES[1], model.name) or 0)
        relay.close()
        gone = soon(server, lambda found: found.get(up) == 0)
        assert gone == {up: 0}
        assert server.ask("GET", "/profiles/everything/1")[0] == 200
        assert server.ask("GET", "/health")[0] == 200
        relay.open()
        back = soon(server, lambda found: found.get(up) == 1)
        assert (of(back, NAMES[0], model.name) or 0) >= (of(after, NAMES[0], model.name) or 0)


def test_one_that_hangs_does_not_hold_up_who_asks_for_profiles(root: Path, tmp_path: Path) -> None:
    """It accepts and never answers: `/metrics` comes within seconds, without its figures."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as silent,
        serving(root, tmp_path / "shop", f"127.0.0.1:{silent.getsockname()[1]}") as server,
    ):
        begun = time.monotonic()
        scraping = threading.Thread(target=lambda: scraped(Server(server.port)))
        scraping.start()
        assert server.ask("GET", "/profiles/everything/1")[0] == 200
        scraping.join()
        assert time.monotonic() - begun < 10
        assert set(scraped(server).values()) == {0}
