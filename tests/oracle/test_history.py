"""From raw files to the feature history, whole, against the oracle."""

import tempfile
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given

from tests.oracle.compare import Timeline, check_changes, check_values, interesting
from tests.oracle.generate import Case, cases
from tests.oracle.pipeline import Project, run, visible
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
