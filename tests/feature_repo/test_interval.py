"""Which interval a run covers, given what Feast asks and what there is."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from feast.infra.common.materialization_job import MaterializationTask

from limner.feature_repo.interval import Wanted, micros, wanted
from limner.language.errors import LimnerError
from limner.workers.history.manifest import History, Segment
from limner.workers.history.served import serve
from limner.workers.plan import ViewPlan

DAY = 86_400_000_000
FIRST = datetime(1970, 1, 1, tzinfo=UTC)


def on(day: float) -> datetime:
    return FIRST + timedelta(days=day)


@pytest.fixture
def plan(tmp_path: Path) -> ViewPlan:
    return cast(ViewPlan, SimpleNamespace(name="activity", folder=tmp_path, fingerprint="new"))


def ask(plan: ViewPlan, start: float, end: float, before: list[tuple[float, float]] | None = None) -> Wanted:
    """What a run of fingerprint `new` covers, asked for [start, end] in days; `before` are Feast's intervals."""
    intervals = [(on(a), on(b)) for a, b in before or []]
    view: Any = SimpleNamespace(materialization_intervals=intervals)
    task = cast(MaterializationTask, SimpleNamespace(start_time=on(start), end_time=on(end), feature_view=view))
    return wanted(task, plan, History(plan.folder / "new"))


def cover(plan: ViewPlan, fingerprint: str, start: float, end: float) -> None:
    """Give a fingerprint a history over days, and serve it."""
    folder = plan.folder / fingerprint
    folder.mkdir()
    History(folder).commit(Segment(after=int(start * DAY), until=int(end * DAY), files=()), [])
    serve(plan.folder, fingerprint)


def test_a_first_run_covers_what_is_asked(plan: ViewPlan) -> None:
    """Nothing is there, nothing is added."""
    assert ask(plan, 3, 5) == Wanted(3 * DAY, 5 * DAY)


def test_a_new_definition_covers_all_that_the_old_one_served(plan: ViewPlan) -> None:
    """Feast keeps the old watermark and asks for the newest day alone."""
    cover(plan, "old", 1, 9)
    assert ask(plan, 9, 10, before=[(1, 9)]) == Wanted(1 * DAY, 10 * DAY)
    assert ask(plan, 2, 3, before=[(1, 9)]) == Wanted(1 * DAY, 9 * DAY)


def test_a_definition_whose_history_is_there_is_brought_up_to_what_is_served(plan: ViewPlan) -> None:
    """Only what it lacks is asked for: the rest may have been made from files that have changed since."""
    cover(plan, "new", 3, 5)
    cover(plan, "old", 1, 9)
    assert ask(plan, 9, 10) == Wanted(1 * DAY, 10 * DAY)
    cover(plan, "older", 3, 9)
    assert ask(plan, 9, 9) == Wanted(5 * DAY, 9 * DAY)
    cover(plan, "oldest", 3, 4)
    assert ask(plan, 5, 6) == Wanted(5 * DAY, 6 * DAY)


def test_a_lost_history_is_computed_over_what_feast_remembers(plan: ViewPlan) -> None:
    """Somebody deleted data/history: Feast's intervals say what was there; empty ones say nothing."""
    assert ask(plan, 9, 10, before=[(2, 4), (4, 9), (9, 8)]) == Wanted(2 * DAY, 10 * DAY)


def test_an_incremental_run_to_a_covered_instant_asks_for_nothing(plan: ViewPlan) -> None:
    """Feast's start is then its watermark, later than the end."""
    cover(plan, "new", 1, 9)
    assert ask(plan, 9, 5, before=[(1, 9)]) == Wanted(5 * DAY, 5 * DAY)
    assert ask(plan, 9, 12, before=[(1, 9)]) == Wanted(9 * DAY, 12 * DAY)


def test_an_empty_first_interval_is_an_error(plan: ViewPlan) -> None:
    """`materialize-incremental` begins a year ago, after old data have ended."""
    with pytest.raises(LimnerError, match="`feast materialize START END`"):
        ask(plan, 100, 50)


def test_an_end_in_the_future_is_pointed_out(plan: ViewPlan, caplog: pytest.LogCaptureFixture) -> None:
    """Rows that arrive later belong to an interval that Feast counts as done."""
    tomorrow = (datetime.now(UTC) - FIRST) / timedelta(days=1) + 1
    ask(plan, 0, tomorrow)
    assert "is still to come" in caplog.text
    caplog.clear()
    ask(plan, 0, tomorrow - 2)
    assert caplog.text == ""


def test_micros_are_exact_and_naive_is_utc() -> None:
    """No float on the way."""
    moment = datetime(2262, 4, 11, 23, 47, 16, 854775)
    assert micros(moment) == micros(moment.replace(tzinfo=UTC)) == 9223372036854775
