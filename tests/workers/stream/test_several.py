"""Several workers of one project do together what one would do, whoever takes what, and whoever dies."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from hypothesis import event, given
from hypothesis import strategies as st

from limner.workers.stream.events import Raw
from limner.workers.stream.worker import Worker
from tests.oracle.profiles import many
from tests.workers.stream.test_properties import FAST, Come, Play, come, seconds
from tests.workers.stream.test_worker import POINTS, KilledError
from tests.workers.stream.world import BEGIN, SECOND, World, click, raw


@dataclass(frozen=True)
class Act:
    """After `wait` seconds: what the worker `who` does with `events`; `other` is what the next one takes meanwhile."""

    wait: float
    what: str
    who: int
    events: tuple[Come, ...]
    other: tuple[Come, ...]
    point: str


events = st.lists(come, max_size=3).map(tuple)
acts = st.builds(
    Act,
    wait=seconds,
    what=st.sampled_from(["step", "step", "both", "both", "begin and die", "kill", "flush", "leave", "join", "run"]),
    who=st.integers(0, 2),
    events=events,
    other=events,
    point=st.sampled_from(POINTS),
)


class Together(Play):
    """A world with several workers; the one that takes events is `worker`."""

    def __init__(self, root: Path, before: list[Come], world: type[World] = World) -> None:
        self.workers: list[Worker] = []
        super().__init__(root, before, world)

    def start(self) -> None:
        """One more."""
        self.worker = self.world.worker(self._at).__enter__()
        self.workers.append(self.worker)

    def end(self) -> None:
        """The one at work is gone; where it was the last one, another begins."""
        assert self.worker is not None
        self.worker.__exit__()
        self.workers.remove(self.worker)
        self.worker = self.workers[0] if self.workers else None

    def act(self, act: Act) -> None:
        """One thing, and what is online afterwards."""
        self.world.now += round(act.wait * SECOND)
        self.worker = self.workers[act.who % len(self.workers)]
        mine = [self._raw(each) for each in act.events]
        match act.what:
            case "both":
                self._both(mine, [self._raw(each) for each in act.other])
            case "begin and die":
                self.worker.begin(mine, {})
                self.end()
            case "kill":
                self._killed(mine, act.point)
            case "flush":
                self._flush()
            case "leave":
                self.end()
            case "join" if len(self.workers) < 3:
                self.start()
            case "run":
                self.world.materialize()
        if self.worker is None:
            self.start()
        self._step(mine)

    def _both(self, mine: list[Raw], yours: list[Raw]) -> None:
        """Two read and clean at the same time; the second may have taken what the first one takes."""
        one = self.worker
        assert one is not None
        two = self.workers[(self.workers.index(one) + 1) % len(self.workers)]
        first, second = one.begin(mine, {}), two.begin(yours, {})
        event(f"both: {one is not two}")
        assert one.finish(first) is not None
        self._expect(mine)
        if two.finish(second) is None:
            event("overtaken")
            two.step(yours)
        self._expect(yours)

    def finish(self) -> None:
        """The histories are those of one run over the files."""
        self._flush()
        assert self.worker is not None
        until = self.worker._state.instant()
        while self.worker is not None:
            self.end()
        self.world.check_histories(until)


@many(5)
@given(before=st.lists(come, max_size=3), acts=st.lists(acts, min_size=1, max_size=7))
def test_workers_together_do_what_one_would_do(before: list[Come], acts: list[Act]) -> None:
    """Whatever each takes, in whatever order, with deaths, arrivals and runs between."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        play = Together(Path(folder), before)
        play.start()
        for each in acts:
            play.act(each)
        play.finish()


def test_the_same_event_given_to_two_counts_once(tmp_path: Path) -> None:
    """And so does one spelling of a key: the second worker has to look again at what it took."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as one, world.worker() as two:
        world.now += SECOND
        first = one.begin([raw("clicks", click(1, at=1, colour="red"))], {})
        second = two.begin([raw("clicks", click(1, at=1)), raw("clicks", click(2, at=1, Colour="red"))], {})
        told = one.finish(first)
        assert told is not None
        assert told.taken == 1
        assert two.finish(second) is None
        told = two.step(second.raws)
        assert (told.taken, told.repeated) == (0, 1)
        assert list(told.refused.values()) == ["has the key 'Colour', which is written 'colour'"]
        two.send()
        world.check(two._state.instant())
        assert two._state.rows(0) == []  # both have them


def test_a_worker_that_joins_reads_what_the_others_have_taken(tmp_path: Path) -> None:
    """Also while they go on: nothing is written into the files that it reads."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as one:
        for n in range(1, 4):
            world.now += SECOND
            one.step([raw("clicks", click(n, at=n / 2))])
        with world.worker() as two:
            world.now += SECOND
            one.step([raw("clicks", click(4, at=3))])
            world.now += SECOND
            told = two.step([raw("clicks", click(5, at=4)), raw("clicks", click(4, at=3))])
            assert (told.taken, told.repeated) == (1, 1)
            world.check(two._state.instant())
            assert world.online("now")[1]["clicks_1m"] == 5


def test_what_a_worker_did_not_write_online_is_written_by_another_one(tmp_path: Path) -> None:
    """Before it computes anything: what changes depends on what is there."""
    world = World(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    armed = False

    def stop(where: str) -> None:
        if armed and where == "committed":
            raise KilledError

    with world.worker() as two:
        with world.worker(stop) as one:
            armed = True
            world.now += SECOND
            try:
                one.step([raw("clicks", click(1, user=7, at=1))])
            except KilledError:
                armed = False
        assert 7 not in world.online("now")
        world.now += SECOND
        two.step([raw("clicks", click(2, user=8, at=2))])
        world.check(two._state.instant())
        assert {7, 8} <= set(world.online("now"))
