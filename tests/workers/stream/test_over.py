"""Views over views follow the views that they are made of."""

import tempfile
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.workers.history.lock import view_lock
from limner.workers.online.loading import load
from limner.workers.online.opening import open_writer
from limner.workers.run import materialize
from limner.workers.stream import rows
from limner.workers.stream.rows import entities_of
from limner.workers.stream.serving import MovedError
from limner.workers.stream.skew import skew
from limner.workers.stream.whole import Whole
from tests.oracle.profiles import many
from tests.workers.stream.over_world import OverWorld
from tests.workers.stream.test_properties import FAST, Come, Do, Play, act, come
from tests.workers.stream.test_several import Act, Together, acts
from tests.workers.stream.world import BEGIN, SECOND, click, context, raw, visit


def test_a_view_over_views_changes_with_its_members_and_as_time_passes(tmp_path: Path) -> None:
    world = OverWorld(tmp_path, [("clicks", click(1, at=-4)), ("clicks", click(2, user=2, at=-30))])
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("clicks", click(3, at=1.5, kind="Buy")), raw("visits", visit(1, user=3, at=1))])
        worker.send()
        world.check(world.now)
        for _ in range(9):
            world.now += 5 * SECOND
            worker.step([])
            worker.send()
            world.check(world.now)
        assert worker.flush()
    world.check_histories()


@many(4)
@given(before=st.lists(come, max_size=4), acts=st.lists(act, min_size=1, max_size=7))
def test_what_is_online_is_what_brute_force_says(before: list[Come], acts: list[Do]) -> None:
    """After every micro-batch, in the end the history of one run, whatever happens to the worker."""
    # Rows are sorted in, and given up, after every few.
    with tempfile.TemporaryDirectory(dir=FAST) as folder, mock.patch.object(rows, "_RECENT", 3):
        play = Play(Path(folder), before, OverWorld)
        for each in acts:
            play.do(each)
        play.finish()


@many(3)
@given(before=st.lists(come, max_size=3), acts=st.lists(acts, min_size=1, max_size=6))
def test_workers_together_do_what_one_would_do(before: list[Come], acts: list[Act]) -> None:
    """One tells the others what changed in members, too."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder, mock.patch.object(rows, "_RECENT", 3):
        play = Together(Path(folder), before, OverWorld)
        play.start()
        for each in acts:
            play.act(each)
        play.finish()


def test_skew_computes_of_members_what_is_online_and_tells_a_wrong_value(tmp_path: Path) -> None:
    """Of a view over views that follows events, and of one that a run has computed."""
    world = OverWorld(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    plans = {view: world.plan(view) for view in world.specs.views}
    assert skew(plans["top"], world.place, context(), 100, 0).agrees
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("clicks", click(n, user=n, at=1.5)) for n in range(1, 4)])
        worker.send()
        for view in ("over", "top"):
            found = skew(plans[view], world.place, context(), 100, 0)
            assert found.agrees
            assert (found.differences.compared, found.at) == (4, world.now)
        plan = plans["over"]
        with open_writer(world.place) as writer:
            generation = writer.served("over")
            assert generation is not None
            execute = writer.database.connection().execute  # type: ignore[attr-defined]
            name, key = generation.table, generation.schema.encode
            other = f"SELECT value FROM {name} WHERE key = ?"
            execute(f"UPDATE {name} SET value = ({other}) WHERE key = ?", (key([99]), key([1])))
        told = skew(plan, world.place, context(), 100, 0).differences
        assert (set(told.features), told.missing, told.strange) == ({"keen", "taste", "risk"}, 0, 0)


def test_a_new_version_of_a_model_is_taken_up_once_it_is_served(tmp_path: Path) -> None:
    """Meanwhile the version before speaks; the views that ask are in their new version, the others go on."""
    world = OverWorld(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("clicks", click(1, at=1.5)), raw("visits", visit(1, at=1))])
        worker.send()
        world.check(world.now)
        before = world.online("over")[1]["risk"]
        world.learn(BEGIN + 2 * SECOND, (3.0, 0.0, 0.0))
        world.pin()
        world.materialize()
        with pytest.raises(MovedError):
            worker.send()
    with world.worker() as worker:
        assert world.online("over")[1]["risk"] > before
        for n in range(2, 5):
            world.now += 2 * SECOND
            worker.step([raw("clicks", click(n, at=2 * n - 1, user=n % 2))])
            worker.send()
            world.check(world.now)
        assert worker.flush()
    world.check_histories()


def test_a_view_over_views_that_another_run_has_moved_is_taken_up(tmp_path: Path) -> None:
    """A view that waited for a run, because those it is made of had moved already."""
    world = OverWorld(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    found = world.streamed()
    served = {view: plan.fingerprint for view, plan in found.plans.items()}
    plans = {view: plan for view, plan in found.plans.items() if view != "top"}
    for waiting, moved in ((served["top"], False), ("0" * 64, True)):
        streamed = replace(found, plans=plans, waiting={"top": waiting})
        with replace(world.worker(), streamed=streamed) as worker:
            if moved:
                with pytest.raises(MovedError, match="'top' can follow"):
                    worker.send()
            else:
                worker.send()


def test_a_worker_that_starts_while_a_run_holds_a_member(tmp_path: Path) -> None:
    """What was not written into the member's history is taken from where it is."""
    world = OverWorld(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("clicks", click(n, at=1.5, user=n)) for n in (1, 2, 3)])
    with view_lock(world.plan("now").folder):
        for n in (4, 5):
            with world.worker() as worker:
                world.now += SECOND
                worker.step([raw("visits", visit(n, at=n - 2, user=n - 2)), raw("clicks", click(n, at=1, user=n))])
                worker.send()
                world.check(world.now)
                assert not worker.flush()
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("visits", visit(6, at=4, user=1))])
        worker.send()
        world.check(world.now)
        assert worker.flush()
        world.now += 5 * SECOND
        worker.step([])
        assert worker.flush()
    world.check_histories()


def test_members_that_a_run_has_taken_further_are_caught_up_with(tmp_path: Path) -> None:
    """A run of them alone; and what falls due in them since then."""
    world = OverWorld(tmp_path, [("clicks", click(1, at=0.5)), ("visits", visit(1, at=1.5, user=2))])
    world.now = BEGIN + SECOND
    world.materialize()
    for view in ("now", "short"):
        world.now += 6 * SECOND
        plan = world.plan(view)
        result = materialize(plan, BEGIN, world.now, context())
        with open_writer(world.place) as writer:
            load(writer, plan, result.history, "", result.latest())
    with world.worker() as worker:
        worker.step([raw("clicks", click(2, at=12, user=2))])
        worker.send()
        world.check(worker._state.instant())
        assert worker.flush()
        until = worker._state.instant()
    world.check_histories(until)


def test_only_the_newest_row_of_a_member_is_kept(tmp_path: Path) -> None:
    """However long a worker is at work; and each is in the history."""
    world = OverWorld(tmp_path)
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        for n in range(1, 8):
            world.now += SECOND
            worker.step([raw("clicks", click(n, at=n, user=n % 2))])
            worker.send()
        views = {view.plan.name: view for view in worker._views}
        held = views["over"].held
        assert isinstance(held, Whole)
        for store in held.stores.values():
            assert [len(each) for each in store._recent.values()] == [1] * len(store._recent)
            store.sort_in(world.now)
            assert len(store) == len(entities_of([store.base], ["user_id"]))
        world.now += SECOND
        worker.step([raw("clicks", click(9, at=8, user=1)), raw("clicks", click(10, at=8, user=5))])
        worker.send()
        world.check(world.now)
