"""Whether a run may go on from the sums of the one before, and what prevents it."""

from dataclasses import dataclass

from limner.language.derived_base import Derived
from limner.language.outputs import Output
from limner.language.scope import scope
from limner.workers.carry.kept import Handed, read_record
from limner.workers.history.manifest import History
from limner.workers.intervals import Interval
from limner.workers.plan import ViewPlan
from limner.workers.sources.scan import duplicates_reach_back
from limner.workers.windows.carried import is_carried
from limner.workers.windows.derived import breaks
from limner.workers.windows.timeline import tick_at_or_before


@dataclass(frozen=True)
class Beginning:
    """How a run begins. `handed`: it goes on from these sums; None: it computes from all rows, and `why`.

    `keep`: it hands on sums itself.
    """

    handed: Handed | None = None
    keep: bool = False
    why: str = ""


ALONE = Beginning()  # from all rows, and nothing is handed on


def begin(plan: ViewPlan, history: History, interval: Interval, shards: int) -> Beginning:
    """How the run over an interval begins; sources are still to be compared with what was seen of them."""
    prevents = prevented(plan)
    if prevents:
        return Beginning(why=prevents)
    manifest, why = history.manifest(), ""
    if manifest.coverage is not None and interval.end < manifest.coverage[1]:
        return Beginning(why="the interval ends before the history does")
    base = tick_at_or_before(plan.view.grid, interval.start)
    handed = read_record(history.folder / manifest.handed[0]) if manifest.handed else None
    if interval.base:
        why = "it is the beginning of the history"
    elif handed is None:
        why = "the last run handed on no sums"
    elif handed.at != base:
        why = "the last run did not end where this one begins"
    elif len(handed.files) != shards:
        why = "the number of shards has changed"
    elif any(base < each <= interval.end for each in breaks(plan.view.grid, plan.computed)):
        why = "a fit begins to hold"
    return Beginning(None if why else handed, keep=True, why=why)


def prevented(plan: ViewPlan) -> str:
    """What keeps the runs of a view from ever going on from sums; "" where nothing does."""
    if why := no_sums(plan):
        return why
    for name in plan.view.reads:
        source = plan.specs.sources[name]
        if source.database is not None:
            return f"source {name} is a table, which cannot tell whether its rows have changed"
        if duplicates_reach_back(source):
            return f"source {name} drops duplicates that may lie far apart"
        if any(key not in scope(plan.specs, name, plan.raw).own for key in plan.join_keys):
            return f"source {name} has its entities from an identity map"
    return ""


def no_sums(plan: ViewPlan) -> str:
    """Why the values of a view cannot be made of sums and of rows that come and go; "" where they can."""
    if plan.members:
        return "it is made of views"
    kinds = [f"{each.name} ({_kind(each)})" for each in plan.computed if not _summed(each)]
    if not kinds:
        return ""
    more = f" and {len(kinds) - 3} more" if len(kinds) > 3 else ""
    return f"{', '.join(kinds[:3])}{more} {'are' if len(kinds) > 1 else 'is'} made of all rows of the window"


def _summed(output: Output) -> bool:
    return isinstance(output.feature, Derived) or is_carried(output)


def _kind(output: Output) -> str:
    feature = output.feature
    return f"{feature.kind} by category" if getattr(feature, "by", None) is not None else feature.kind
