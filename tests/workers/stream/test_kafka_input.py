"""Events from a broker that speaks Kafka's protocol: committed when they have happened, and given again until then."""

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from limner.language.errors import LimnerError
from limner.workers.stream.inputs import Batch, Member, Told
from limner.workers.stream.kafka_input import Kafka
from limner.workers.stream.loop import Pace, follow
from tests.workers.stream.kafka_broker import Broker, behind_tls, record, running
from tests.workers.stream.world import BEGIN, SECOND, World, click, visit

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("kafka")]


ANYBODY = Member("group", 1, lambda _: True)


@pytest.fixture(scope="module")
def broker() -> Iterator[Broker]:
    with running() as found:
        yield found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that died is missed soon, and partitions are shared anew without waiting long."""
    monkeypatch.setenv("LIMNER_KAFKA_HEARTBEAT_INTERVAL_MS", "200")
    monkeypatch.setenv("LIMNER_KAFKA_SESSION_TIMEOUT_MS", "6000")


def followed(broker: Broker, *sources: str) -> Kafka:
    events = Kafka(broker.url, list(sources))
    events.go_on(None, ANYBODY)
    return events


def some(events: Kafka, most: int = 100, until: Callable[[], bool] = lambda: False) -> Batch:
    """The next events, however long the group takes to say whose they are."""
    deadline = time.monotonic() + 40
    while True:
        batch = events.take(most, 0.1)
        if batch.events or until():
            return batch
        assert time.monotonic() < deadline


def becomes(look: Callable[[], object], expected: object) -> bool:
    """Whether something is so soon: commits are not waited for."""
    deadline = time.monotonic() + 10
    while (found := look()) != expected and time.monotonic() < deadline:
        time.sleep(0.05)
    return found == expected


def numbers(batch: Batch) -> list[int]:
    return [json.loads(each.body)["n"] for each in batch.events]


def test_what_is_not_done_is_given_again(broker: Broker) -> None:
    """In the order of each partition; a commit never passes what came before and has not happened."""
    broker.topics("events.a", partitions=1)
    broker.send("events.a", [("k", b'{"n": %d}' % n) for n in range(6)])
    first = followed(broker, "a")
    zero, one, two = some(first, 2), first.take(2, 1), first.take(1, 1)
    assert [numbers(each) for each in (zero, one, two)] == [[0, 1], [2, 3], [4]]
    first.done(one, Told())
    assert broker.committed("events.a", 1) == {}
    first.done(zero, Told())
    assert becomes(lambda: broker.committed("events.a", 1), {0: 4})
    first.close()
    second = followed(broker, "a")
    rest = some(second)
    assert numbers(rest) == [4, 5]
    assert not second.exhausted
    second.done(rest, Told(letters=[("a", '{"reason": "so"}')]))
    assert becomes(lambda: broker.committed("events.a", 1), {0: 6})
    assert broker.read("events.a.dead") == [b'{"reason": "so"}']
    some(second, until=lambda: second.exhausted)
    second.close()


def test_a_worker_that_dies_leaves_its_events_to_the_next_one(tmp_path: Path, broker: Broker) -> None:
    """Each counts once; what cannot be taken is in the topic of the dead, with its reason, before it is committed."""
    broker.topics("events.clicks", "events.visits")
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    world.now += 2 * SECOND
    broker.send("events.clicks", [record(click(n, user=n % 4, at=1)) for n in range(1, 20)])
    broker.send("events.visits", [record(visit(1, at=0.5)), ("1", None), ("2", b"x" * 900_000)])
    events = followed(broker, "clicks", "visits")
    with world.worker() as worker:  # it takes some, and dies before it says so
        worker.step(some(events, 5).events)
        worker.step(some(events, 5).events)
    assert broker.committed("events.clicks") == {}
    events.close()
    with world.worker() as worker:
        events = Kafka(broker.url, ["clicks", "visits"])
        told = follow(worker, events, lambda: False, print, Pace(most=7), once=True)
        events.close()
    assert told.dead == 2
    world.check(world.now + 20)
    assert sorted(row["event_id"] for row in world.log()["clicks"]) == sorted(f"c{n}" for n in range(20))
    assert len(world.log()["visits"]) == 2
    assert sum(broker.committed("events.clicks").values()) == 19
    assert sum(broker.committed("events.visits").values()) == 3
    reasons = [json.loads(line or b"")["reason"] for line in broker.read("events.visits.dead")]
    assert sorted(reason[:8] for reason in reasons) == ["is empty", "not JSON"]


def test_partitions_are_shared_with_a_worker_that_joins(broker: Broker) -> None:
    """What was given of a partition that goes to another worker, and not done, comes there again; no commit here."""
    broker.topics("events.b", partitions=4)
    broker.send("events.b", [(str(n), b'{"n": %d}' % n) for n in range(40)])
    first, second = followed(broker, "b"), Kafka(broker.url, ["b"])
    mine: list[Batch] = []
    while sum(len(each.events) for each in mine) < 40:
        mine.append(some(first))
    second.go_on(None, ANYBODY)
    theirs: list[Batch] = []
    deadline = time.monotonic() + 40
    while not (second._assigned and second.exhausted):
        assert not first.take(10, 0.05).events
        theirs.append(second.take(100, 0.05))
        assert time.monotonic() < deadline
    assert first._assigned
    assert len(first._assigned) == len(second._assigned) == 2
    assert not first._assigned & second._assigned
    for each in mine:
        first.done(each, Told())
    kept = set(first._assigned)
    first.close()  # what is on its way is committed
    committed = broker.committed("events.b", 4)
    assert {("events.b", number) for number in committed} <= kept
    again = [n for each in theirs for n in numbers(each)]
    assert len(again) == 40 - sum(committed.values()) > 0
    second.close()


def test_brokers_that_do_not_answer_are_told_of_once() -> None:
    """Nothing waits for them: taking goes on, and so do windows that end. When they answer again, events come."""
    with running() as broker:
        broker.topics("events.c", partitions=1)
        broker.send("events.c", [("k", b"1")])
        events = followed(broker, "c")
        batch = some(events)
        broker.process.send_signal(signal.SIGSTOP)
        begun = time.monotonic()
        events.done(batch, Told())
        assert not events.take(10, 0.05).events
        assert time.monotonic() - begun < 2
        broker.process.send_signal(signal.SIGCONT)
        assert becomes(lambda: broker.committed("events.c", 1), {0: 1})
        broker.send("events.c", [("k", b"2")])
        assert [each.body for each in some(events).events] == [b"2"]
        broker.process.kill()
        broker.process.wait()
        with pytest.raises(LimnerError, match=r"brokers are down.*see that the brokers run"):
            some(events)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            assert not events.take(10, 0.05).events


def test_what_is_missing_or_refused_is_said(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a worker starts."""
    with pytest.raises(LimnerError, match=r"there is no topic events\.nothing at .*: create it"):
        Kafka(broker.url, ["nothing"])
    monkeypatch.setattr("limner.workers.stream.kafka_input._CONNECT", 1.0)
    with pytest.raises(LimnerError, match="Connection refused"):
        Kafka("kafka://127.0.0.1:1", ["a"])
    monkeypatch.setenv("LIMNER_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv("LIMNER_KAFKA_SASL_MECHANISM", "PLAIN")
    monkeypatch.setenv("LIMNER_KAFKA_SASL_USERNAME", "joe")
    monkeypatch.setenv("LIMNER_KAFKA_SASL_PASSWORD", "hunter2")
    with pytest.raises(LimnerError) as error:
        Kafka(broker.url, ["a"])
    assert "hunter2" not in str(error.value)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the authority that the file of properties names; without it nobody is trusted."""
    monkeypatch.setattr("limner.workers.stream.kafka_input._CONNECT", 2.0)
    monkeypatch.setenv("LIMNER_KAFKA_SECURITY_PROTOCOL", "SSL")
    with behind_tls(tmp_path) as guarded:
        with pytest.raises(LimnerError, match="certificate verify failed"):
            Kafka(guarded.url, ["a"])
        monkeypatch.setattr("limner.workers.stream.kafka_input._CONNECT", 20.0)
        (tmp_path / "kafka.properties").write_text(f"ssl.ca.location={tmp_path / 'cert.pem'}\n")
        monkeypatch.setenv("LIMNER_KAFKA_CONFIG", str(tmp_path / "kafka.properties"))
        with pytest.raises(LimnerError, match="there is no topic"):
            Kafka(guarded.url, ["a"])
