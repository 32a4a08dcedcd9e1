"""Views of sums: whatever comes, dies or joins, they say what all rows would, and hold those rows that still move."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from limner.workers.stream import held, passing
from limner.workers.stream import summed as of_sums
from limner.workers.stream.serving import MovedError
from limner.workers.stream.summed import Summed
from limner.workers.stream.worker import Worker
from limner.workers.windows.compute import History, Task, compute
from tests.oracle.profiles import many
from tests.workers.stream.sums_world import SumsWorld
from tests.workers.stream.test_properties import FAST, Come, Do, Play, act, come
from tests.workers.stream.test_several import Act, Together, acts
from tests.workers.stream.world import BEGIN, SECOND, click, raw, visit


def summed(worker: Worker) -> dict[str, Summed]:
    """What the worker holds of views of sums."""
    return {each.plan.name: each.held for each in worker._views if isinstance(each.held, Summed)}


@many(4)
@given(before=st.lists(come, max_size=4), acts=st.lists(act, min_size=1, max_size=7))
def test_what_is_online_is_what_brute_force_says(before: list[Come], acts: list[Do]) -> None:
    """After every micro-batch, and the history is that of a run over the files."""
    few = mock.patch.object(passing, "_RECENT", 3), mock.patch.object(held, "_FEW", 1)
    with tempfile.TemporaryDirectory(dir=FAST) as folder, few[0], few[1]:
        play = Play(Path(folder), before, SumsWorld)
        for each in acts:
            play.do(each)
            assert play.worker is not None
            event(f"of sums: {sorted(summed(play.worker))}")
        play.finish()


@many(4)
@given(before=st.lists(come, max_size=3), acts=st.lists(acts, min_size=1, max_size=7))
def test_workers_together_do_what_one_would_do(before: list[Come], acts: list[Act]) -> None:
    """Each makes up for what the others have computed, at once or much later."""
    few = mock.patch.object(passing, "_RECENT", 3), mock.patch.object(held, "_FEW", 1)
    with tempfile.TemporaryDirectory(dir=FAST) as folder, few[0], few[1]:
        play = Together(Path(folder), before, SumsWorld)
        play.start()
        for each in acts:
            play.act(each)
        play.finish()


def test_an_event_costs_as_much_as_rows_come_and_go(tmp_path: Path) -> None:
    """However many its entity has; of windows that nothing leaves no row stays in memory."""
    world = SumsWorld(tmp_path, [("clicks", click(n, at=-61 - n / 10)) for n in range(1, 50)])
    world.now = BEGIN + SECOND
    world.materialize()
    seen = dict[str, list[int]]()

    def counted(tables: Mapping[str, pa.Table], task: Task, *more: Any) -> History:
        if task.start < task.end:
            assert all(len(table) <= 6 for table in tables.values())
            seen.setdefault(task.outputs[0].name, []).append(len(tables["clicks"]))
        return compute(tables, task, *more)

    with mock.patch.object(of_sums, "compute", counted), world.worker() as worker:
        held = summed(worker)
        assert sorted(held) == ["brief", "ever", "sums"]
        for n in range(100, 120):
            world.now += SECOND
            worker.step([raw("clicks", click(n, at=n - 98.5, amount=11))])
            worker.send()
            assert len(held["ever"]) == 0
            assert len(held["brief"]) <= 20
        world.check(world.now)
        assert worker.flush()
    assert seen["all"] == [1] * 20
    assert sum(seen["last"]) <= 4 * 20  # each row comes, and leaves three windows
    world.check_histories()


def test_who_went_empty_was_known(tmp_path: Path) -> None:
    """Left out, or never met by this worker: a row that counts nowhere changes nothing; of somebody new it does."""
    world = SumsWorld(tmp_path, [("clicks", click(1, user=5, at=-3000))])
    world.now = BEGIN + SECOND
    world.materialize()
    with mock.patch.object(held, "_FEW", 1), mock.patch.object(passing, "_RECENT", 0), world.worker() as worker:
        brief = summed(worker)["brief"]
        assert len(brief.sums) == 0
        world.now += SECOND
        worker.step([raw("clicks", click(n, user=n, at=1, amount=11)) for n in range(10, 20)])
        world.now += 60 * SECOND
        worker.step([raw("clicks", click(n, user=n, at=61)) for n in range(20, 31)])
        assert len(brief.sums) == 11  # of 21
        before = len(worker._followed["brief"].state.changes("brief", brief._plan.fingerprint))
        world.now += SECOND
        worker.step([raw("clicks", click(30 + n, user=n, at=-20, price=None)) for n in (5, 10, 11)])  # in no window
        assert len(worker._followed["brief"].state.changes("brief", brief._plan.fingerprint)) == before
        worker.step([raw("clicks", click(43, user=10, at=62)), raw("clicks", click(42, user=50, at=-20))])
        worker.send()
        world.check(worker._state.instant())
        assert worker.flush()
        until = worker._state.instant()
    world.check_histories(until)


def test_sums_that_are_not_those_of_the_rows_are_made_again(tmp_path: Path) -> None:
    """The worker begins again with all rows; the events of the micro-batch have not happened, and come again."""
    world = SumsWorld(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("clicks", click(1, at=1))])
        sums = summed(worker)["brief"].sums
        sums._rows.clear()  # nobody does
        world.now += 6 * SECOND
        with pytest.raises(MovedError, match=r"brief: an entity is known .* begin with all rows again"):
            worker.step([raw("clicks", click(2, at=2)), raw("visits", visit(1, at=2))])
    with world.worker() as worker:
        world.now += SECOND
        assert worker.step([raw("clicks", click(2, at=2)), raw("visits", visit(1, at=2))]).taken == 2
        worker.send()
        world.check(world.now)


@pytest.mark.parametrize("recent", [2, 1000])
def test_workers_make_up_for_what_others_have_computed(tmp_path: Path, recent: int) -> None:
    """With their own next micro-batch, or earlier where that is long in coming; windows end meanwhile, too."""
    world = SumsWorld(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    with mock.patch.object(passing, "_RECENT", recent), world.worker() as one, world.worker() as two:
        for n, who in enumerate([one, two, one, one, one, one, two, two, one, two], 1):
            world.now += 3 * SECOND
            at = 5 * n - 2 - n % 4
            who.step(
                [raw("clicks", click(n, user=n % 2, at=at, amount=20)), raw("visits", visit(n + 1, user=n % 2, at=at))]
            )
            world.now += 2 * SECOND
            who.step([])
            who.send()
            world.check(who._state.instant())
        world.now += 60 * SECOND
        one.step([])
        world.now += SECOND
        two.step([raw("clicks", click(50, at=100))])
        two.send()
        world.check(two._state.instant())
        assert two.flush()
        until = two._state.instant()
    world.check_histories(until)
