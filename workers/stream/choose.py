"""Which views can follow events, and what of the rest prevents it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    """The views that follow events, as they are served, and the sources that the events are of."""

    plans: Mapping[str, ViewPlan]
    sources: Mapping[str, Source]


def streamed(specs: Specs, root: Path, data: Path, names: Sequence[str] = ()) -> Streamed:
    """The views that are served and can follow events; with `names`, those, or a LimnerError that says why not.

    `specs` are those of the project as they are written: what is said there of streams counts at once. All else is what
    is served.
    """
    served = {view: pointer.fingerprint for view, pointer in pointers(data / "history").items()}
    for name in names:
        if name not in served:
            raise LimnerError(f"view {name!r} is not served yet: run `limner apply` and `limner materialize` first")
    plans: dict[str, ViewPlan] = {}
    sources: dict[str, Source] = {}
    why: dict[str, str] = {}
    for name in names or sorted(served):
        version = read_version(data / "history" / name / served[name])
        if version is None:
            why[name] = "it was computed by an earlier version of Limner: materialize it again"
            continue
        found = from_closure(version.closure)
        found = replace(found, sources={each: _now(source, specs) for each, source in found.sources.items()})
        view = found.views[name]
        why[name] = prevented(view, found.sources)
        if not why[name]:
            plan = plan_view(found, name, root, data)
            if plan.fingerprint != served[name]:
                raise LimnerError(f"view {name!r}: what it is made of has changed: run `limner apply` and materialize")
            plans[name] = plan
            sources |= {each: found.sources[each] for each in view.reads if found.sources[each].stream is not None}
    refused = {name: reason for name, reason in why.items() if reason}
    if names and refused:
        raise LimnerError("\n".join(f"view {name!r} cannot follow events: {why}" for name, why in refused.items()))
    if not plans:
        told = "".join(f"\n  {name}: {reason}" for name, reason in refused.items())
        raise LimnerError(f"no view that is served can follow events{told}")
    return Streamed(plans, sources)


def prevented(view: FeatureView, sources: Mapping[str, Source]) -> str:  # noqa: PLR0911 - one a reason
    """Why a view cannot follow events; "" where it can."""
    if view.grid.step is not None:
        return "it has values at the instants of a grid only: write `every: event`"
    if not view.online:
        return "it has no online values (`online: false`)"
    if view.views:
        return "it is made of other views"
    if all(sources[name].stream is None for name in view.reads):
        return f"no source of it says `stream`: {', '.join(view.reads)}"
    for name in view.reads:
        if sources[name].identity:
            return f"source {name} has an identity map"
        if sources[name].database is not None:
            return f"source {name} is a table"
    return ""


def _now(source: Source, specs: Specs) -> Source:
    """A source as it was applied, and what is said of its stream now."""
    written = specs.sources.get(source.source)
    return source.model_copy(update={"stream": None if written is None else written.stream})
