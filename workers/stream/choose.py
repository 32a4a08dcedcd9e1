"""Which views can follow events, and what of the rest prevents it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from limner.language.closure import from_closure
from limner.language.errors import LimnerError
from limner.language.models import FeatureView, Source
from limner.language.repo import Specs
from limner.workers.history.served import pointers
from limner.workers.history.version import read_version
from limner.workers.plan import ViewPlan, plan_view


@dataclass(frozen=True)
class Streamed:
    """The views that follow events, as they are served, and the sources that the events are of.

    A view over views comes after those it is made of. `waiting`: views whose members have moved to another version
    already, with the fingerprint that is served of them: they follow when a run has moved them, too.
    """

    plans: Mapping[str, ViewPlan]
    sources: Mapping[str, Source]
    waiting: Mapping[str, str] = field(default_factory=dict)


def streamed(specs: Specs, root: Path, data: Path, names: Sequence[str] = ()) -> Streamed:
    """The views that are served and can follow events; with `names`, those, or a LimnerError that says why not.

    With a view over views come those it is made of. `specs` are those of the project as they are written: what is said
    there of streams counts at once. All else is what is served.
    """
    served = {view: pointer.fingerprint for view, pointer in pointers(data / "history").items()}
    for name in names:
        if name not in served:
            raise LimnerError(f"view {name!r} is not served yet: run `limner apply` and `limner materialize` first")
    found = _Choice(specs, root, data, served)
    for name in names or sorted(served):
        found.look(name)
    refused = {name: reason for name in names or sorted(served) if (reason := found.why[name])}
    if names and refused:
        raise LimnerError("\n".join(f"view {name!r} cannot follow events: {why}" for name, why in refused.items()))
    if not found.plans:
        told = "".join(f"\n  {name}: {reason}" for name, reason in refused.items())
        raise LimnerError(f"no view that is served can follow events{told}")
    return Streamed(found.plans, found.sources, {name: served[name] for name in sorted(found.stale)})


class _Choice:
    """The views that were looked at: `why` says what prevents each, "" where nothing does, or nothing but time."""

    def __init__(self, specs: Specs, root: Path, data: Path, served: Mapping[str, str]) -> None:
        self.specs, self.root, self.data, self.served = specs, root, data, served
        self.plans: dict[str, ViewPlan] = {}
        self.sources: dict[str, Source] = {}
        self.why: dict[str, str] = {}
        self.stale: set[str] = set()

    def look(self, name: str) -> None:
        """Look at a view, after those it is made of."""
        if name in self.why:
            return
        version = read_version(self.data / "history" / name / self.served[name])
        if version is None:
            self.why[name] = "it was computed by an earlier version of Limner: materialize it again"
            return
        found = from_closure(version.closure)
        found = replace(found, sources={each: self._now(source) for each, source in found.sources.items()})
        view = found.views[name]
        self.why[name] = prevented(view, found.sources) or self._members(view)
        if self.why[name]:
            return
        plan = plan_view(found, name, self.root, self.data)
        same = plan.fingerprint == self.served[name]
        if not same and not plan.members:
            raise LimnerError(f"view {name!r}: what it is made of has changed: run `limner apply` and materialize")
        ready = {member.view: member.fingerprint for member in plan.members if member.view in self.plans}
        if not same or any(ready.get(member) != self.served[member] for member in view.views):
            self.stale.add(name)  # a run moves views one after the other
            return
        self.plans[name] = plan
        self.sources |= {each: found.sources[each] for each in view.reads if found.sources[each].stream is not None}

    def _members(self, view: FeatureView) -> str:
        """What of the views that a view is made of prevents it."""
        for member in view.views:
            if member not in self.served:
                return f"it is made of {member}, which is not served"
            self.look(member)
            if self.why[member]:
                return f"it is made of {member}, which cannot: {self.why[member]}"
        return ""

    def _now(self, source: Source) -> Source:
        """A source as it was applied, and what is said of its stream now."""
        written = self.specs.sources.get(source.source)
        return source.model_copy(update={"stream": None if written is None else written.stream})


def prevented(view: FeatureView, sources: Mapping[str, Source]) -> str:  # noqa: PLR0911 - one a reason
    """Why a view cannot follow events, whatever views it is made of; "" where it can."""
    if view.grid.step is not None:
        return "it has values at the instants of a grid only: write `every: event`"
    if not view.online:
        return "it has no online values (`online: false`)"
    if view.views:
        return ""
    if all(sources[name].stream is None for name in view.reads):
        return f"no source of it says `stream`: {', '.join(view.reads)}"
    for name in view.reads:
        if sources[name].identity:
            return f"source {name} has an identity map"
        if sources[name].database is not None:
            return f"source {name} is a table"
    return ""
