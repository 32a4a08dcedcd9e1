"""Applying, materializing and losing a worker while clients ask: no request fails, and what is new is served."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from limner.feature_repo.apply import apply as apply_plan
from limner.feature_repo.plan import plan
from tests.integration.feast_project import DAY, FIRST, SPECS, apply, events, expected, make_project
from tests.running import Limner
from tests.serving.world import Server, limner_serve

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("serving"),
    pytest.mark.usefixtures("in_process"),
]
ROWS = events(count=200, users=8, days=10, seed=5)
FIRST_END, SECOND_END = FIRST + 5 * DAY, FIRST + 8 * DAY
FEAST = {"feature_service": "everything", "entities": {"user_id": list(range(1, 9))}}
LEAN = {"profile": "everything", "keys": list(range(1, 9))}


class Clients(threading.Thread):
    """Asks on both routes, on connections that are kept and on new ones, until it is told to stop."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port, self.stop = port, threading.Event()
        self.wrong: list[Any] = []
        self.seen: list[tuple[Any, ...]] = []

    def run(self) -> None:
        kept, asked = Server(self.port), 0
        while not self.stop.is_set():
            asked += 1
            server = kept if asked % 10 else Server(self.port)
            path, body = (("/profiles", LEAN), ("/get-online-features", FEAST))[asked % 2]
            try:
                status, told, _ = server.ask("POST", path, body)
                if status == 200 and path == "/profiles":
                    self.seen.append(tuple(None if row is None else row["orders_7d"] for row in told["profiles"]))
                elif status != 200:
                    self.wrong.append((path, status, told))
            except Exception as error:  # noqa: BLE001 - a connection that is refused or cut is what must not be
                self.wrong.append((path, repr(error)))
                server.connection.close()


@contextmanager
def load(port: int) -> Iterator[Clients]:
    """Clients for the length of the block."""
    clients = Clients(port)
    clients.start()
    try:
        yield clients
    finally:
        clients.stop.set()
        clients.join()


def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def orders(at: Any) -> tuple[Any, ...]:
    found = [expected(ROWS, user, at) for user in range(1, 9)]
    return tuple(None if each is None else each["orders_7d"] for each in found)


def test_no_request_fails_while_a_project_is_applied_and_materialized(tmp_path: Path) -> None:
    """A feature is added, a profile too, and the view computed anew; every answer is of one state, old or new."""
    repo = make_project(tmp_path / "shop", ROWS)
    apply(repo).materialize(FIRST, FIRST_END)
    with limner_serve(tmp_path / "shop", "--workers", "2") as server, load(server.port) as clients:
        until(lambda: len(clients.seen) > 20)
        changed = SPECS.replace("dear: {max: big}", "dear: {max: big}\n  total: {sum: amount, over: lifetime}")
        (repo.parent / "specs" / "shop.yaml").write_text(
            changed + "---\nprofile: brief\nfeatures: [activity: [total]]\n"
        )
        apply_plan(plan(repo.parent))

        def answers() -> list[int]:
            asked = {"feature_service": "brief", "entities": {"user_id": [1]}}
            return [Server(server.port).ask("POST", "/get-online-features", asked)[0] for _ in range(6)]

        until(lambda: answers() == [200] * 6)  # both workers have taken it up
        from feast import FeatureStore

        FeatureStore(repo_path=str(repo)).materialize(FIRST, SECOND_END)
        status, told, _ = server.ask("GET", "/profiles/brief/1")
        assert (status, told) == (200, {"user_id": 1, "total": pytest.approx(total(1))})
        until(lambda: clients.seen[-1] == orders(SECOND_END))
        assert clients.wrong == []
        begun = len(clients.seen)
        _lose_a_worker(server)
        until(lambda: len(clients.seen) > begun + 20)
        assert server.process is not None
        before = workers(server)
        server.process.send_signal(signal.SIGHUP)
        until(lambda: not before & workers(server))
    known = {orders(FIRST_END), orders(SECOND_END)}
    assert set(clients.seen) == known
    kinds = ("RemoteDisconnected", "ConnectionReset", "BrokenPipe", "IncompleteRead")
    cut = [each for each in clients.wrong if any(kind in str(each) for kind in kinds)]
    assert clients.wrong == cut
    assert len(cut) <= 3  # kept connections to a worker that ended: a client asks again


def total(user: int) -> float:
    return sum(row.amount for row in ROWS if row.user == user and row.at < SECOND_END)


def _lose_a_worker(server: Server) -> None:
    """Kill one, as the kernel does where memory runs out."""
    found = workers(server)
    assert len(found) == 2
    os.kill(min(found), signal.SIGKILL)


def workers(server: Server) -> set[int]:
    """The processes that serve."""
    assert server.process is not None
    return {each.pid for each in psutil.Process(server.process.pid).children() if _lives(each)}


def _lives(process: psutil.Process) -> bool:
    """Whether it has not ended: one may end between being listed and being asked."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_project_that_breaks_is_served_as_it_was(tmp_path: Path, limner: Limner) -> None:
    """Also when a process starts: it says what is wrong, and ends."""
    repo = make_project(tmp_path / "shop", ROWS)
    apply(repo).materialize(FIRST, FIRST_END)
    settings = repo / "feature_store.yaml"
    text = settings.read_text()
    with limner_serve(tmp_path / "shop") as server:
        settings.write_text("nonsense: [")
        until(lambda: "warning" in server.ask("GET", "/health")[1])
        assert server.post("/profiles", LEAN)[1]["profiles"][0]["orders_7d"] == orders(FIRST_END)[0]
        assert server.post("/get-online-features", FEAST)[0] == 200
        settings.write_text(text)
        until(lambda: "warning" not in server.ask("GET", "/health")[1])
    settings.write_text("nonsense: [")
    ended = limner("-C", tmp_path / "shop", "serve", "--port", 0)
    assert (ended.code, "cannot be served" in ended.err) == (1, True)
