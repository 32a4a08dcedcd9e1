"""Which interval a task of Feast's asks of a view, in the light of what Feast and the history know."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from feast.infra.common.materialization_job import MaterializationTask
from feast.utils import make_tzaware

from limner.language.errors import LimnerError
from limner.workers.history.manifest import History
from limner.workers.history.served import served, served_history
from limner.workers.online.pack import EPOCH
from limner.workers.plan import ViewPlan

_LOG = logging.getLogger("limner")


@dataclass(frozen=True)
class Wanted:
    """(start, end] in µs since 1970 UTC."""

    start: int
    end: int


def micros(moment: datetime) -> int:
    """µs since 1970 UTC; a naive moment is UTC, as everywhere in Feast."""
    return (make_tzaware(moment) - EPOCH) // timedelta(microseconds=1)


def wanted(task: MaterializationTask, plan: ViewPlan, history: History) -> Wanted:
    """Return the interval to cover.

    A view with a new definition (or a lost history) is computed over all it served before: Feast keeps the old
    watermark. LimnerError for a first run whose interval is empty, as `materialize-incremental` makes it when the
    data are older than a year.
    """
    start, end = micros(task.start_time), micros(task.end_time)
    if end > micros(datetime.now(UTC)):
        _LOG.warning(
            "%s is materialized up to %s, which is still to come: rows that arrive until then are missing unless this "
            "interval is materialized again",
            plan.name,
            make_tzaware(task.end_time).isoformat(timespec="seconds"),
        )
    coverage = history.coverage()
    if coverage is None:
        earlier = _served_before(task, plan)
        if earlier is not None:
            return Wanted(min(start, earlier.start), max(end, earlier.end))
    elif served(plan.folder) not in (None, plan.fingerprint):
        start, end = _at_least(Wanted(start, end), coverage, _served_before(task, plan))
    if coverage is not None and start >= end:  # an incremental run to an instant that is already covered
        return Wanted(end, end)
    if start >= end:
        raise LimnerError(
            f"{plan.name} has never been materialized, and the interval from {make_tzaware(task.start_time):%Y-%m-%d} "
            f"to {make_tzaware(task.end_time):%Y-%m-%d} is empty: give the first run its beginning, "
            "`feast materialize START END`"
        )
    return Wanted(start, end)


def _at_least(asked: Wanted, coverage: tuple[int, int], earlier: Wanted | None) -> tuple[int, int]:
    """Begin and end of what must be asked so that a history of this coverage ends up with all of `earlier` too."""
    start, end = asked.start, asked.end
    if earlier is not None and earlier.start < coverage[0]:
        start, end = min(start, earlier.start), max(end, coverage[0])
    if earlier is not None and earlier.end > coverage[1]:
        start, end = min(start, coverage[1]), max(end, earlier.end)
    return start, end


def _served_before(task: MaterializationTask, plan: ViewPlan) -> Wanted | None:
    old = served_history(plan.folder)
    coverage = None if old is None else old.coverage()
    if coverage is not None:
        return Wanted(*coverage)
    intervals = [(micros(a), micros(b)) for a, b in task.feature_view.materialization_intervals if a < b]
    if not intervals:
        return None
    return Wanted(min(a for a, _ in intervals), max(b for _, b in intervals))
