"""A worker and its state: what is online after each micro-batch, and what a worker that dies leaves behind."""

import json
from pathlib import Path

import pytest

from limner.workers.history.manifest import History
from limner.workers.stream.events import Raw
from limner.workers.stream.intake import Intake
from limner.workers.stream.serving import MovedError
from limner.workers.stream.worker import Worker
from tests.workers.stream.world import BEGIN, SECOND, World, click, raw, visit

POINTS = ("computed", "in transaction", "committed", "sent", "exported", "in history")


class KilledError(BaseException):
    """The worker is no more."""


def everything(worker: Worker, events: list[Raw]) -> None:
    """A micro-batch, and all that is done after it."""
    worker.step(events, {"in": "6"})
    worker.send()
    worker.flush()


def test_an_event_changes_the_profile_at_once_and_time_changes_it_again(tmp_path: Path) -> None:
    """Counts grow when an event comes, and shrink when it leaves its window, without another one."""
    world = World(tmp_path, [("clicks", click(1, at=-4)), ("clicks", click(2, user=2, at=-30))])
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        world.now += SECOND
        told = worker.step([raw("clicks", click(3, at=1.5, kind="Buy")), raw("visits", visit(1, user=3, at=1))])
        assert (told.taken, told.dead) == (2, 0)
        worker.send()
        world.check(world.now)
        assert world.online("now")[1]["clicks_5s"] == 1
        for _ in range(22):
            world.now += 2 * SECOND
            worker.step([])
            worker.send()
            world.check(world.now)
        assert world.online("now")[1]["clicks_5s"] == 0
        assert worker.flush()
    world.check_histories()


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_that_is_killed_loses_and_doubles_nothing(tmp_path: Path, point: str) -> None:
    """Wherever that happens: the next one takes up what was left, and the input gives the last events again."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    armed = False

    def stop(where: str) -> None:
        if armed and where == point:
            raise KilledError

    first = [raw("clicks", click(n, at=n / 10, kind=kind)) for n, kind in enumerate(["a", "b", "a"], 1)]
    second = [raw("clicks", click(9, at=2, kind="c", item="b")), raw("visits", visit(7, at=1.5)), first[0]]
    with world.worker(stop) as worker:
        world.now += SECOND
        worker.step(first, {"in": "3"})
        worker.send()
        world.now += SECOND
        armed = True
        with pytest.raises(KilledError):
            everything(worker, second)
    with world.worker() as worker:
        world.now += SECOND
        assert worker.position("in") == ("3" if point in POINTS[:2] else "6")
        worker.step(second, {"in": "6"})
        worker.send()
        world.check(world.now)
        assert sorted(row["event_id"] for row in world.log()["clicks"]) == ["c0", "c1", "c2", "c3", "c9"]
        assert worker.flush()
        world.check(world.now)
    world.check_histories()


def test_what_cannot_be_taken_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    """And what cleaning refuses is told, too, though it is a row of the source."""
    world = World(tmp_path)
    world.now = BEGIN + 10 * SECOND
    world.materialize()
    bodies = [
        b"{", b"[1]", b"\xff", b'{"a": NaN}', b'{"n": 1, "N": 2}', b'{"event_id": null}', b'{"event_id": true}',
        b'{"event_id": "x\\u0000"}', b'{"event_id": "y", "big": 99999999999999999999}', b'{"event_id": "y"}',
        b'{"event_id": "y", "at": "yesterday"}', b'{"event_id": "y", "at": 1e999}', b'{"event_id": "\\ud800"}',
    ]  # fmt: skip
    rows = [
        click(1, at=-111), click(2, at=71), click(3, at=9, amount=-5), click(4, at=9, kind="bot"),
        click(6, at=9, amount="much"), click(7, at=9),
    ]  # fmt: skip
    rows.append({("Amount" if name == "amount" else name): value for name, value in click(5, at=9).items()})
    with world.worker() as worker:
        told = worker.step([*(Raw("clicks", body) for body in bodies), *(raw("clicks", row) for row in rows)])
        worker.step([Raw("nowhere", b"{}"), raw("clicks", click(7, at=8))])
        worker.send()
        worker.flush()
        world.check(world.now + 1)
    assert told.taken == 4
    assert [each["reason"] for each in world.dead("clicks") if "view" not in each] == [
        "not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        "expected an object, found list",
        "not UTF-8 (byte 0)",
        "not JSON: NaN is no number",
        "not JSON: the key 'N' comes twice",
        "has no event_id",
        "event_id is neither a text nor a number",
        "holds a character that no text can have",
        "holds a number of more than 64 bits",
        "not JSON: 1e999 is larger than any number",
        "holds a character that no text can have",
        "no at",
        "cannot read at as timestamp",
        "came more than 2m after it happened",
        "happens more than 60s from now",
        "has the key 'Amount', which is written 'amount'",
    ]
    assert {(each["view"], each["reason"]) for each in world.dead("clicks") if "view" in each} == {
        (view, reason) for view in ("now", "short") for reason in ("amount < 0", "cannot read amount as float")
    }
    assert [each["reason"] for each in world.dead("nowhere")] == ["no view follows a source 'nowhere'"]


def test_a_state_that_was_lost_is_made_anew_from_the_files(tmp_path: Path) -> None:
    """Events that are in the files are known by their ids; no file is written over."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    events = [raw("clicks", click(n, at=n / 10)) for n in range(1, 4)]
    with world.worker() as worker:
        world.now += SECOND
        worker.step(events)
        worker.send()
        worker.flush()
    for file in (world.data / "stream").glob("state.db*"):
        file.unlink()
    with world.worker() as worker:
        world.now += SECOND
        told = worker.step([*events, raw("clicks", click(4, at=2))])
        assert (told.taken, told.repeated) == (1, 3)
        worker.send()
        worker.flush()
        world.check(world.now)
    assert len(world.log()["clicks"]) == 5


def test_histories_of_a_stream_stay_in_few_segments(tmp_path: Path) -> None:
    """What is written minute by minute becomes one segment, and a run makes one of its own of it."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    plan = world.plan("short")
    history = History(plan.folder / plan.fingerprint)
    with world.worker() as worker:
        for n in range(5):
            world.now += SECOND
            worker.step([raw("clicks", click(n + 1, at=n))])
            worker.send()
            worker.flush()
    assert len(history.manifest().segments) == 2
    world.materialize()
    assert [segment.files[0].startswith("stream") for segment in history.manifest().segments] == [False]
    world.check_histories()


def test_files_that_somebody_else_brings_count_when_a_run_has_read_them(tmp_path: Path) -> None:
    """The worker begins with them again: what the run has mended is not undone."""
    world = World(tmp_path)
    world.now = BEGIN + 2 * SECOND
    world.materialize()
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("clicks", click(1, at=1))])
        worker.flush()
        late = click(2, at=-1) | {"received": click(0, at=2.5)["at"]}
        (world.data / "clicks" / "brought.jsonl").write_text(json.dumps(late) + "\n")
        worker.look()  # no run has read it
        world.now += SECOND
        world.materialize(mends=True)
        with pytest.raises(MovedError, match="begin with them again"):
            worker.look()
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("clicks", click(3, at=3))])
        worker.look()
        world.check(world.now)
        assert world.online("now")[1]["clicks_1m"] == 3
        world.materialize()
        worker.look()


def test_rows_of_what_is_looked_up_are_no_events(tmp_path: Path) -> None:
    """An item that is there twice is in the quarantine of runs; it is nobody's dead letter."""
    world = World(tmp_path)
    with (world.data / "items.csv").open("a") as file:
        file.write("a,Again\n")
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        told = worker.step([raw("clicks", click(1, at=0))])
        assert (told.taken, told.dead, told.quarantined) == (1, 0, {})


def test_a_line_that_no_reader_of_files_takes_is_found(tmp_path: Path) -> None:
    world = World(tmp_path)
    intake = Intake(world.specs.sources["clicks"], world.root, [])
    lines = [(str(n), '{"a": 1}') for n in range(5)]
    lines[3] = ("3", '{"a": ')
    file = tmp_path / "lines.jsonl"
    assert intake._unreadable(lines, file) == ["3"]
    assert intake._unreadable(lines[:3], file) == []
    intake.close()


def test_what_is_looked_up_is_as_it_is_when_an_event_comes(tmp_path: Path) -> None:
    """Rows that came before keep what was looked up then."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        for brand, brands in (("Acme", 1), ("Acme", 1), ("Ace", 2), ("Acme", 2)):
            (world.data / "items.csv").write_text(f"item,brand\na,{brand}\n")
            world.now += SECOND
            worker.step([raw("clicks", click(world.now, at=1))])
            worker.send()
            assert world.online("now")[1]["brands"] == brands
