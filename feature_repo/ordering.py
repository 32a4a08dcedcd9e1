"""The order in which the views of one call are materialized: a view over views comes after those it is made of."""

from collections.abc import Sequence

from feast import FeatureView
from feast.infra.common.materialization_job import MaterializationTask

from limner.feature_repo.compile import CLOSURE_TAG, VIEW_TAG
from limner.feature_repo.interval import Wanted, micros
from limner.language.closure import from_closure
from limner.language.members import depth
from limner.language.repo import Specs
from limner.workers.history.manifest import History
from limner.workers.members import beginnings as first_needed


def in_order(tasks: Sequence[MaterializationTask]) -> list[int]:
    """Positions of the tasks, members before the views that are made of them, otherwise as given."""
    found = [_applied(task.feature_view) for task in tasks]
    depths = [0 if each is None else depth(each[0].views, each[1]) for each in found]
    return sorted(range(len(tasks)), key=lambda position: depths[position])


def beginnings(tasks: Sequence[MaterializationTask]) -> dict[str, int]:
    """By the name of a member, the instant (µs) from which the views over it need its values."""
    needed: dict[str, int] = {}
    for task in tasks:
        applied = _applied(task.feature_view)
        if applied is not None:
            specs, name = applied
            for member, first in first_needed(specs.views, name, micros(task.start_time)).items():
                needed[member] = min(needed.get(member, first), first)
    return needed


def widened(wanted: Wanted, history: History, first: int | None) -> Wanted:
    """The interval with what views over this one need of its beginning, where the history does not have it."""
    coverage = history.coverage()
    if first is None or first >= wanted.start or (coverage is not None and coverage[0] <= first):
        return wanted
    return Wanted(first, max(wanted.end, coverage[0] if coverage is not None else wanted.end))


def _applied(view: FeatureView) -> tuple[Specs, str] | None:
    """The specs of a view as it was applied; None for one that is not Limner's."""
    if CLOSURE_TAG not in view.tags:
        return None
    return from_closure(view.tags[CLOSURE_TAG]), view.tags[VIEW_TAG]
