"""From raw files to the feature history, whole, against the oracle."""

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from limner.workers.history.manifest import MANIFEST, History
from limner.workers.plan import ViewPlan
from tests.oracle.compare import Timeline, check_changes, check_values, interesting
from tests.oracle.generate import Case, cases
from tests.oracle.pipeline import EDITS, Project, run, visible
from tests.oracle.profiles import many
from tests.oracle.worlds import exact

pytestmark = pytest.mark.timeout(1800)
FAST = "/dev/shm" if Path("/dev/shm").is_dir() else None


@many(250)
@given(cases(views=3))
def test_history_says_what_the_oracle_says_at_every_instant(case: Case) -> None:
    """From raw files on: as of each tick, or each instant of a view valued at every event."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        project = Project(case, Path(folder))
        for view in case.views:
            plan, oracle = project.plan(view), project.oracle(view)
            result = run(plan, case.start, case.end)
            assert result.summary["rows_kept"] == sum(event.known <= case.end for event in oracle.events)
            timeline = Timeline(visible(result.history, plan.join_keys), plan.join_keys)
            check_values(timeline, oracle, plan.outputs, interesting(case, oracle))
            check_changes(timeline, plan.view.grid, case.start, case.end)


@many(80)
@given(cases())
def test_an_interval_is_the_sum_of_its_parts(case: Case) -> None:
    """One run equals consecutive runs over its parts, byte for byte, whatever the shards and files; so does a backfill.

    Running again changes nothing.
    """
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        project = Project(case, Path(folder))
        whole, parts, late = (project.plan("view_0", data) for data in ("whole", "parts", "late"))
        history = run(whole, case.start, case.end).history
        expected = [exact(table) for table in visible(history, whole.join_keys)]
        files = {path: path.read_bytes() for path in whole.folder.rglob("*") if path.is_file()}
        assert run(whole, case.start, case.end).history_rows == 0
        assert {path: path.read_bytes() for path in whole.folder.rglob("*") if path.is_file()} == files
        project.scatter_events()
        for until in (*case.cuts, case.end):
            split = run(parts, case.start, until, shards=2).history
        assert [exact(table) for table in visible(split, whole.join_keys)] == expected
        if case.cuts:
            run(late, case.cuts[-1], case.end)
            backfilled = run(late, case.start, case.end).history
            assert [exact(table) for table in visible(backfilled, whole.join_keys)] == expected


@many(60)
@given(cases())
def test_rows_may_come_when_they_become_known(case: Case) -> None:
    """Each run sees only the files there are: rows known by its end. The history is that of one run over all files."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        project = Project(case, Path(folder))
        whole, grown = project.plan("view_0", "whole"), project.plan("view_0", "grown")
        history = run(whole, case.start, case.end).history
        expected = [exact(table) for table in visible(history, whole.join_keys)]
        edges = [case.start, *case.cuts, case.end]
        for after, until in pairwise(edges):
            project.keep_events(known_by=until, keys=whole.join_keys)
            found = run(grown, after, until).history
        assert [exact(table) for table in visible(found, whole.join_keys)] == expected


@many(150)
@given(cases(summed=True))
def test_runs_that_go_on_from_sums_give_what_all_rows_give(case: Case) -> None:
    """One run equals consecutive runs over its parts, each but the first from what the one before handed on."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        project = Project(case, Path(folder))
        whole, parts = project.plan("view_0", "whole"), project.plan("view_0", "parts")
        history = run(whole, case.start, case.end).history
        expected = [exact(table) for table in visible(history, whole.join_keys)]
        for until in (*case.cuts, case.end):
            result = run(parts, case.start, until, shards=2)
            event(f"carried: {result.summary['carried']} {result.summary.get('not_carried', '')}")
        assert [exact(table) for table in visible(result.history, whole.join_keys)] == expected


edit = st.tuples(st.sampled_from(EDITS), st.integers(0, 100))
edits = st.lists(edit, max_size=6) | st.lists(st.tuples(st.just("come"), st.integers(0, 100)), max_size=3)


@many(150)
@given(cases(summed=True), st.lists(edits, min_size=4, max_size=4))
def test_runs_see_rows_that_changed_behind_them(case: Case, changes: list[list[tuple[str, int]]]) -> None:
    """A run with sums handed on gives what it gives without, whatever has come, gone or changed among old rows."""
    with tempfile.TemporaryDirectory(dir=FAST) as folder:
        project = Project(case, Path(folder))
        on, full = project.plan("view_0", "on"), project.plan("view_0", "full")
        edges = [case.start, *case.cuts, case.end]
        for (after, until), some in zip(pairwise(edges), changes, strict=False):
            forget_sums(full)
            found, expected = run(on, after, until), run(full, after, until)
            event(f"carried: {found.summary['carried']} {found.summary.get('not_carried', '')}")
            assert not expected.summary["carried"]
            tables = [visible(each.history, on.join_keys) for each in (found, expected)]
            assert [exact(table) for table in tables[0]] == [exact(table) for table in tables[1]]
            project.edit_events(some)


def forget_sums(plan: ViewPlan) -> None:
    """Take from the next run what the last one handed on."""
    history = History(plan.folder / plan.fingerprint)
    if history.coverage() is not None:
        manifest = history.manifest().model_copy(update={"handed": ()})
        (history.folder / MANIFEST).write_text(manifest.model_dump_json())
