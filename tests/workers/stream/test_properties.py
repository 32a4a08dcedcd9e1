"""Any events in any order, with restarts, deaths and runs between them: what is online is the truth."""

import json
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from limner.workers.stream.events import Raw
from limner.workers.stream.worker import Worker
from tests.oracle.instants import to_micros
from tests.oracle.profiles import many
from tests.workers.stream.mixed_world import MixedWorld
from tests.workers.stream.test_worker import POINTS, KilledError
from tests.workers.stream.world import BEGIN, SECOND, World, click, raw, visit

FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass(frozen=True)
class Come:
    """An event: `delay` seconds after it happened; one that is `again` came before."""

    what: str
    user: int
    delay: float
    kind: str
    amount: int
    again: int | None


@dataclass(frozen=True)
class Do:
    """After `wait` seconds: events, or something that happens to the worker."""

    wait: float
    what: str
    events: tuple[Come, ...] = ()
    point: str = ""


seconds = st.sampled_from([0.0, 0.000001, 0.5, 1.0, 4.999999, 5.0, 5.000001, 10.0, 19.0, 30.0, 60.0])
come = st.builds(
    Come,
    what=st.sampled_from(["clicks", "clicks", "visits"]),
    user=st.integers(1, 3),
    delay=seconds | st.sampled_from([-3.0, 119.0, 121.0, -61.0]),
    kind=st.sampled_from(["a", "B", "bot", "c"]),
    amount=st.sampled_from([-1, 0, 11, 20]),
    again=st.none() | st.none() | st.integers(0, 5),
)
several = st.lists(come, min_size=1, max_size=4).map(tuple)
act = (
    st.builds(Do, wait=seconds, what=st.just("come"), events=several)
    | st.builds(Do, wait=seconds, what=st.sampled_from(["tick", "flush", "restart", "materialize", "rest"]))
    | st.builds(Do, wait=seconds, what=st.just("kill"), events=several, point=st.sampled_from(POINTS))
)


class Play:
    """A world, its worker, and all that came."""

    def __init__(self, root: Path, before: list[Come], world: type[World] = World) -> None:
        self.came: list[tuple[str, dict[str, Any]]] = []
        self.taken: dict[str, set[str]] = {"clicks": {"c0"}, "visits": {"0"}}
        rows = [self._row(each, -each.delay - 61) for each in before]
        self.world = world(root, rows)
        for source, row in rows:
            self.taken[source].add(str(row.get("event_id", row.get("visit"))))
        self.world.now = BEGIN + SECOND
        self.world.materialize()
        self.point: str | None = None
        self.worker: Worker | None = None
        self.start()

    def start(self) -> None:
        """A new worker, which must not be the second one."""
        assert self.worker is None
        self.worker = self.world.worker(self._at).__enter__()

    def end(self) -> None:
        """The worker is gone, whatever it did."""
        assert self.worker is not None
        self.worker.__exit__()
        self.worker = None

    def do(self, what: Do) -> None:
        """One thing, and what is online afterwards."""
        self.world.now += round(what.wait * SECOND)
        events = [self._raw(each) for each in what.events]
        match what.what:
            case "kill":
                self._killed(events, what.point)
            case "restart":
                self._flush()
                self.end()
                self.start()
            case "rest":  # a run while no worker is there
                self.end()
                self.world.materialize()
                self.start()
            case "materialize":
                self.world.materialize()
            case "flush":
                self._flush()
        self._step(events)

    def finish(self) -> None:
        """The histories are those of one run over the files."""
        self._flush()
        until = self.worker._views[0].cursor if self.worker is not None else 0
        self.end()
        self.world.check_histories(until)

    def _step(self, events: list[Raw]) -> None:
        assert self.worker is not None
        told = self.worker.step(events)
        event(f"taken: {told.taken > 0}, repeated: {told.repeated > 0}, refused: {told.dead > 0}")
        self.worker.send()
        self._expect(events)
        self.world.check(self.worker._views[0].cursor)
        log = self.world.log()
        ids = {"clicks": [row["event_id"] for row in log["clicks"]], "visits": [str(r["visit"]) for r in log["visits"]]}
        for source, found in ids.items():
            assert sorted(found) == sorted(self.taken[source])

    def _expect(self, events: list[Raw]) -> None:
        """The events that came in the last micro-batch in time."""
        assert self.worker is not None
        instant = self.worker._state.instant()
        for each in events:
            row = json.loads(each.body)
            at = to_micros(datetime.fromisoformat(row["at"]))
            lateness = 120 if each.source == "clicks" else 60
            if instant - lateness * SECOND <= at <= instant + 60 * SECOND:
                self.taken[each.source].add(str(row.get("event_id", row.get("visit"))))

    def _flush(self) -> None:
        assert self.worker is not None
        assert self.worker.flush()

    def _killed(self, events: list[Raw], point: str) -> None:
        """The worker dies; its input will give the events again."""
        assert self.worker is not None
        self.point = point
        try:
            self.worker.step(events)
            self.worker.send()
            self.worker.flush()
        except KilledError:
            event(f"killed {point}")
        if self.point not in POINTS[:2]:
            self._expect(events)
        self.point = None
        self.end()
        self.start()

    def _at(self, where: str) -> None:
        if where == self.point:
            raise KilledError

    def _row(self, each: Come, at: float) -> tuple[str, dict[str, Any]]:
        number = len(self.came) + 1
        row = click(number, user=each.user, at=at, kind=each.kind, amount=each.amount)
        found = (each.what, row if each.what == "clicks" else visit(number, user=each.user, at=at))
        self.came.append(found)
        return found

    def _raw(self, each: Come) -> Raw:
        if each.again is not None and self.came:
            return raw(*self.came[each.again % len(self.came)])
        source, row = self._row(each, (self.world.now - BEGIN) / SECOND - each.delay)
        return raw(source, row)


@many(5)
@given(before=st.lists(come, max_size=4), acts=st.lists(act, min_size=1, max_size=7))
def test_what_is_online_is_what_brute_force_says(before: list[Come], acts: list[Do]) -> None:
    """After every micro-batch; no event is lost or counted twice; the history is that of a run over the files."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        play = Play(Path(folder), before)
        for each in acts:
            play.do(each)
        play.finish()


@many(5)
@given(before=st.lists(come, max_size=4), acts=st.lists(act, min_size=1, max_size=7))
def test_so_it_is_beside_files_of_other_formats(before: list[Come], acts: list[Do]) -> None:
    """What happened before the stream is in Parquet and CSV files."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        play = Play(Path(folder), before, MixedWorld)
        for each in acts:
            play.do(each)
        play.finish()
