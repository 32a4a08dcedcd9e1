"""What is pushed: it happens as events of any other input do, once, and who pushed hears what became of it."""

import json
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from limner.language.errors import UnavailableError
from limner.workers.stream import inbox
from limner.workers.stream.inbox import Answer, followed, opened, push
from limner.workers.stream.inputs import Batch, Folder, Member, Sharing, Told
from limner.workers.stream.loop import Pace, follow
from limner.workers.stream.push_input import Beside, Pushes
from tests.workers.stream.world import BEGIN, SECOND, World, click, visit

IDS = {"clicks": "event_id", "visits": "visit"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A project whose histories end two seconds ago."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    world.now += 2 * SECOND
    return world


def bodies(rows: Sequence[Any]) -> list[bytes]:
    """As a push puts them in."""
    return [json.dumps(row).encode() for row in rows]


@contextmanager
def pushing(data: Path, source: str, rows: Sequence[Any], *, all_in: bool = True) -> Iterator[list[Any]]:
    """Another thread pushes; what it heard is in the list in the end."""
    heard: list[Any] = []

    def run() -> None:
        try:
            heard.append(push(data, source, bodies(rows)))
        except UnavailableError as error:
            heard.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    if all_in:
        await_kept(data, len(rows))
    yield heard
    thread.join(30)
    assert not thread.is_alive()


def await_kept(data: Path, count: int) -> None:
    """Until so many events are in the file."""
    deadline = time.monotonic() + 20
    while kept(data) < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kept(data: Path) -> int:
    """Events that have not happened."""
    connection = opened(data, durable=False)
    try:
        return int(connection.execute("SELECT count(*) FROM event").fetchone()[0])
    finally:
        connection.close()


def test_events_that_are_pushed_are_those_of_a_folder(world: World, tmp_path: Path) -> None:
    """Online, in the files and in the history; a second push of the same events changes nothing."""
    rows = [click(n, at=n / 10, user=n % 3) for n in range(1, 8)]
    (tmp_path / "incoming" / "visits").mkdir(parents=True)
    (tmp_path / "incoming" / "visits" / "a.jsonl").write_bytes(bodies([visit(1, at=0.5)])[0] + b"\n")
    for taken in (8, 0):
        source = Beside(Pushes(world.data, IDS), Folder(tmp_path / "incoming", list(IDS)))
        with pushing(world.data, "clicks", rows) as heard:
            with world.worker() as worker:
                told = follow(worker, source, lambda: False, print, Pace(most=3), once=True)
            source.close()
        assert (told.taken, told.repeated) == (taken, 0 if taken else 7)
        assert heard == [Answer()]
        world.now += SECOND
    assert {row["event_id"] for row in world.log()["clicks"]} == {f"c{n}" for n in range(8)}
    world.check(world.now - SECOND + 10)
    assert not followed(world.data, "clicks")


def test_who_pushes_hears_which_events_are_refused_and_which_are_in_quarantine(world: World) -> None:
    rows = [click(1, at=0.5), {"n": 2}, click(3, at=-1000), click(4, at=0.6, amount=-1), click(5, at=0.7)]
    pushes = Pushes(world.data, IDS)
    with pushing(world.data, "clicks", rows) as heard:
        with world.worker() as worker:
            told = follow(worker, pushes, lambda: False, print, Pace(most=2), once=True)
        pushes.close()
    assert told.taken == 3
    (answer,) = heard
    assert answer.refused == {1: "has no event_id", 2: "came more than 2m after it happened"}
    assert answer.quarantined == {3: ["now: amount < 0", "short: amount < 0"]}


def test_it_is_online_before_it_is_answered_and_comes_again_until_then(world: World) -> None:
    """A worker that dies in between has taken the events: the next one finds that they came before."""
    pushes = Pushes(world.data, IDS)
    with pushing(world.data, "clicks", [click(1, at=0.5)]) as heard:
        with world.worker() as worker:
            batch = pushes.take(10, 0)
            pushes.done(batch, worker.step(batch.events))
            time.sleep(0.05)
            assert not heard
            assert kept(world.data) == 1
            pushes._opened.close()  # it dies
        again = Pushes(world.data, IDS)
        with world.worker() as worker:
            told = follow(worker, again, lambda: False, print, Pace(), once=True)
        assert (told.taken, told.repeated) == (0, 1)
        again.close()
    assert heard == [Answer()]
    assert kept(world.data) == 0


def test_without_a_worker_events_are_kept(world: World) -> None:
    """The error says so; a worker that comes takes them, and nothing is left of the push."""
    with pytest.raises(UnavailableError, match="no stream worker follows 'clicks': the events are kept"):
        push(world.data, "clicks", bodies([click(1, at=0.5)]), grace=0.01)
    pushes = Pushes(world.data, {"visits": "visit"})  # follows another source
    with pytest.raises(UnavailableError, match="no stream worker follows 'clicks'"):
        push(world.data, "clicks", bodies([click(2, at=0.5)]), grace=0.01)
    assert not pushes.take(10, 0).events
    pushes.close()
    pushes = Pushes(world.data, IDS)
    with pytest.raises(UnavailableError, match=r"is behind: the events are kept, and happen later than in 0.02 s"):
        push(world.data, "clicks", bodies([click(3, at=0.5)]), patience=0.02)
    with world.worker() as worker:
        assert follow(worker, pushes, lambda: False, print, Pace(), once=True).taken == 3
    left = pushes._connection.execute("SELECT count(*) FROM push").fetchone()
    assert left == (0,)
    pushes.close()


def test_no_more_than_so_many_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told not to be kept is not."""
    monkeypatch.setattr(inbox, "MOST_KEPT", 5)
    monkeypatch.setattr(inbox, "MOST_AT_ONCE", 2)
    with pytest.raises(UnavailableError, match=r"the events are kept.*; the last 1 events are not kept"):
        push(tmp_path, "clicks", [b"1", b"2", b"3"], grace=0)
    with pytest.raises(UnavailableError, match="are kept"):
        push(tmp_path, "clicks", [b"3", b"4"], grace=0)
    with pytest.raises(UnavailableError, match=r"no more are kept.*nothing of this push is kept from event 0 on"):
        push(tmp_path, "clicks", [b"5", b"6"], grace=0)
    assert kept(tmp_path) == 4


def test_one_worker_takes_what_is_pushed_to_a_source_in_order(tmp_path: Path) -> None:
    """Another one takes its place when it is gone, and begins with what was not done."""
    idle, one, other = (Pushes(tmp_path, IDS) for _ in range(3))  # the first one stands by, and takes nothing
    assert followed(tmp_path, "clicks")
    for n in range(5):
        with pytest.raises(UnavailableError):
            push(tmp_path, "clicks", [b"%d" % n], patience=0)
    first = one.take(2, 0)
    assert [each.body for each in first.events] == [b"0", b"1"]
    assert [each.body for each in one.take(1, 0).events] == [b"2"]  # two micro-batches are under way
    assert not other.take(9, 0).events
    one.done(first, Told(taken=2))
    one.close()
    assert [each.body for each in other.take(9, 0).events] == [b"2", b"3", b"4"]
    other.close()
    idle.close()
    assert not followed(tmp_path, "clicks")


class Silent:
    """An input that several workers share in its order, and that has nothing."""

    sharing, name, exhausted = Sharing.ORDER, "silent", True

    def go_on(self, position: str | None, member: Member) -> None:
        pass

    def take(self, most: int, seconds: float) -> Batch:
        time.sleep(min(seconds, 0.005))
        return Batch()

    def done(self, batch: Batch, told: Told) -> None:
        raise AssertionError("nothing was given")

    def close(self) -> None:
        pass


@contextmanager
def following(world: World) -> Iterator[None]:
    """A worker beside others, in a thread."""
    stop, begun = threading.Event(), threading.Event()

    def run() -> None:
        source = Beside(Pushes(world.data, IDS), Silent())
        with world.worker() as worker:
            begun.set()
            follow(worker, source, stop.is_set, print, Pace())
        source.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(60)
    yield
    stop.set()
    thread.join(60)
    assert not thread.is_alive()


def test_beside_an_input_that_workers_share_one_takes_what_is_pushed_and_another_goes_on(world: World) -> None:
    """Who pushes notices nothing when the one goes."""
    with ExitStack() as second:
        with following(world):
            assert push(world.data, "clicks", bodies([click(1, at=0.5), click(2, at=0.6)])) == Answer()
            second.enter_context(following(world))
            assert push(world.data, "clicks", bodies([click(2, at=0.6), click(3, at=0.7)])) == Answer()
            assert push(world.data, "visits", bodies([visit(1, at=0.7)])) == Answer()
        assert push(world.data, "clicks", bodies([click(4, at=0.8), click(1, at=0.5)])) == Answer()
        assert world.online("now")[1]["clicks_1m"] == 4
    assert sorted(row["event_id"] for row in world.log()["clicks"]) == ["c0", "c1", "c2", "c3", "c4"]


def _push_some(data: Path, name: int) -> None:
    for n in range(10):
        try:
            push(data, "clicks", [b"%d" % (100 * name + n)], patience=0, grace=0)
        except UnavailableError as error:
            assert "kept" in str(error)  # noqa: PT017 - in another process


def test_many_processes_push_at_once(tmp_path: Path) -> None:
    """Into a file that none of them finds."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_push_some, args=(tmp_path, n)) for n in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(30)
        assert process.exitcode == 0
    assert kept(tmp_path) == 80
