"""Events from a real Valkey: acknowledged when they have happened, and given again until then."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from limner.benchmarks.valkey import valkey
from limner.language.errors import LimnerError
from limner.workers.stream.inputs import Member, Told
from limner.workers.stream.loop import Pace, follow
from limner.workers.stream.redis_input import RedisStreams
from tests.workers.stream.world import BEGIN, SECOND, World, click, visit

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("stores")]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with valkey() as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def client(url: str) -> Any:
    import redis

    found = redis.Redis.from_url(url)
    found.flushall()
    return found


def taker(url: str, number: int, here: set[int]) -> RedisStreams:
    """The input of one worker; `here` are the numbers of those that run."""
    events = RedisStreams(url, ["clicks"])
    events.go_on(None, Member("group", number, lambda each: each in here))
    return events


def test_what_is_not_done_is_given_again_first(url: str, client: Any) -> None:
    """When the worker has gone, in order, before anything new; fields are columns where there is no `event`."""
    for n in range(5):
        client.xadd("events:clicks", {"event": json.dumps({"n": n})})
    here = {1, 2}
    first = taker(url, 1, here)
    done, left = first.take(2, 0), first.take(2, 0)
    first.done(left, Told())
    assert [each.body for each in done.events] == [b'{"n": 0}', b'{"n": 1}']
    client.xadd("events:clicks", {"event_id": "x", "n": "9"})
    second = taker(url, 2, here)
    assert json.loads(second.take(1, 0).events[0].body) == {"n": 4}
    here.remove(1)
    second = taker(url, 2, here)  # looks at once for what others have left
    again = second.take(10, 0)
    assert [each.body for each in again.events] == [b'{"n": 0}', b'{"n": 1}']
    second.done(again, Told())
    rest = second.take(10, 0)
    assert [json.loads(each.body)["n"] for each in rest.events] == ["9"]
    second.done(rest, Told())
    here.remove(2)
    third = taker(url, 3, here)
    last = third.take(10, 0)
    assert [json.loads(each.body)["n"] for each in last.events] == [4]
    third.done(last, Told())
    third = taker(url, 3, here)
    assert not third.take(10, 0).events
    assert [each["name"] for each in client.xinfo_consumers("events:clicks", "limner")] == [b"group-3"]
    assert client.xpending("events:clicks", "limner")["pending"] == 0
    assert third.exhausted


def test_a_worker_that_dies_leaves_its_events_to_the_next_one(tmp_path: Path, url: str, client: Any) -> None:
    """Each counts once; what cannot be taken is in the stream of the dead, with its reason."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    world.now += 2 * SECOND
    for n in range(1, 8):
        client.xadd("events:clicks", {"event": json.dumps(click(n, at=1))})
    client.xadd("events:visits", {key: str(value) for key, value in visit(1, at=0.5).items()})
    client.xadd("events:clicks", {"event": "no JSON"})
    with world.worker() as worker:  # it takes some, and dies before it says so
        events = RedisStreams(url, ["clicks", "visits"])
        events.go_on(None, worker.member)
        worker.step(events.take(4, 0).events)
        events.take(2, 0)
    with world.worker() as worker:
        events = RedisStreams(url, ["clicks", "visits"])
        told = follow(worker, events, lambda: False, print, Pace(most=3), once=True)
    assert told.dead == 1
    world.check(world.now + 20)
    assert sorted(row["event_id"] for row in world.log()["clicks"]) == [f"c{n}" for n in range(8)]
    assert len(world.log()["visits"]) == 2
    (entry,) = client.xrange("events:clicks:dead")
    assert json.loads(entry[1][b"event"])["event"] == "no JSON"
    assert client.xpending("events:clicks", "limner")["pending"] == 0


@pytest.mark.parametrize("password", ["simple", "with:colon", "with/slash", "with@at"])
def test_no_message_shows_the_password_of_a_server(password: str) -> None:
    """Whatever it is made of."""
    with pytest.raises(LimnerError) as error:
        RedisStreams(f"redis://:{password}@127.0.0.1:1/0", ["clicks"])
    assert password not in str(error.value)
