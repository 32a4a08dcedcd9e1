"""Drawing the examples of a version: the rows of views and questions are read once, then each shard by itself."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from limner.language.errors import LimnerError
from limner.language.learning import Propensity
from limner.language.learning.binding import read_by
from limner.language.learning.queries import Query
from limner.language.learning.questions import questions
from limner.language.models import LearnedModel
from limner.language.repo import Specs
from limner.workers.context import RunContext
from limner.workers.fitting import fits_by
from limner.workers.history.manifest import History
from limner.workers.intervals import Interval
from limner.workers.models.examples import Asked, Drawn, ExampleTask, Question, draw, newest_of
from limner.workers.models.instants import Instants, at_once, coarser, instants, last_told
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.staged import NEVER, stage_rows
from limner.workers.windows.timeline import tick_at_or_after, tick_at_or_before


def examples(
    specs: Specs, model: LearnedModel, cut_off: int, root: Path, data: Path, context: RunContext, stage: Path,
    since: int | None = None,
) -> tuple[Instants, list[Drawn]]:  # fmt: skip
    """The examples of a version as of a cut-off (µs), written below the folder `stage`, a file a shard.

    With `since` (µs) those at or after it, and of these only the instants whose labels are complete, however late the
    cut-off is.
    """
    read = read_by(model, specs.views)
    plans = {view: _narrow(plan_view(specs, view, root, data), outputs) for view, outputs in read.items()}
    when = _instants(specs, model, cut_off)
    if since is not None:
        when = replace(when, first=int(tick_at_or_after(when.grid, np.array(since))))
    when = _covered(plans, when)
    tasks = list(_tasks(specs, model, plans, when, cut_off, root, data, context, stage))
    if since is not None:
        newest = max((found for task in tasks if (found := newest_of(task)) is not None), default=since)
        when = replace(when, last=last_told(when, newest, cut_off))
        tasks = [replace(task, instants=when) for task in tasks]
    return when, sorted(context.workers.map(draw, tasks), key=lambda each: each.file)


def _instants(specs: Specs, model: LearnedModel, cut_off: int) -> Instants:
    """Those at which examples are drawn: of a label's, all that are due; of what looks at one instant, the cut-off."""
    if not isinstance(model.learns, Propensity):
        return at_once(cut_off)
    lag = specs.sources[model.learns.label.from_].lag
    return instants(model.learns, cut_off, lag.micros if lag is not None else 0)


def _narrow(plan: ViewPlan, outputs: tuple[str, ...]) -> ViewPlan:
    """The plan of a view whose other outputs are computed only where those wanted are made of them."""
    kept = {output.name for output in plan.computed if output.name in outputs}
    left = [name for output in plan.computed if output.name in kept for _, names in output.inputs for name in names]
    by_name = {output.name: output for output in plan.computed}
    needed: set[str] = set()
    while left:
        name = left.pop()
        if name not in needed:
            needed.add(name)
            left += [each for _, names in by_name[name].inputs for each in names]
    written = tuple(output for output in plan.computed if output.name in kept)
    hidden = tuple(output for output in plan.computed if output.name in needed - kept)
    return replace(plan, outputs=written, hidden=hidden)


def _covered(plans: Mapping[str, ViewPlan], when: Instants) -> Instants:
    """Views over views have values where their members are materialized: no example is older."""
    begins = [
        coverage[0]
        for plan in plans.values()
        for member in plan.members
        if (coverage := History(member.folder).coverage()) is not None
    ]
    if not begins:
        return when
    return replace(when, first=max(*begins, *([when.first] if when.first is not None else begins)))


def _tasks(
    specs: Specs,
    model: LearnedModel,
    plans: Mapping[str, ViewPlan],
    when: Instants,
    cut_off: int,
    root: Path,
    data: Path,
    context: RunContext,
    stage: Path,
) -> Iterator[ExampleTask]:
    """One a shard, each with the rows of the same entities."""
    asked = questions(specs, model)
    views = {name: _asked(plan, cut_off, when, stage / f"view-{name}", context) for name, plan in plans.items()}
    found = {
        key: (_asked(plan_view(asked, key, root, data), cut_off, when, stage / f"rows-{key}", context), query)
        for key, query in model.learns.queries
    }
    for number in range(context.shards):
        label, population = (
            _question(*found[key], number) if key in found else None for key in ("label", "population")
        )
        yield ExampleTask(
            join_keys=next(iter(plans.values())).join_keys,
            instants=when,
            cut_off=cut_off,
            views={name: each[number] for name, each in views.items()},
            label=label,
            population=population,
            embeddings=data / "embeddings",
            target=stage / "examples" / f"{number:04d}.parquet",
        )


def _question(shards: list[Asked], query: Query, number: int) -> Question:
    how, bound = query.compared
    return Question(shards[number], how, bound)


def _asked(plan: ViewPlan, cut_off: int, when: Instants, stage: Path, context: RunContext) -> list[Asked]:
    """The rows of a view that are known by the cut-off, and what is computed of them, by shard."""
    stage.mkdir(parents=True)
    fits = fits_by(plan, cut_off, plan.folder / plan.fingerprint, stage / "fits", context)
    start = when.first if plan.members and when.first is not None else cut_off
    interval = Interval(min(start, cut_off), cut_off, base=True, reasons=())
    grid = when.grid if coarser(when.grid, plan.view.grid) else plan.view.grid
    since = tick_at_or_before(grid, when.first) if when.first is not None else NEVER
    staged = stage_rows(plan, interval, stage, context, tell=False, since=since)
    if staged.texts_failed:
        raise LimnerError(f"feature view {plan.name}: texts could not be encoded: see the quarantine, and fit again")
    task = plan.task(cut_off, cut_off, fits=dict(fits), grid=grid)
    return [
        Asked({source: each.shards[number] for source, each in staged.prepared.items()}, task, plan.encoders)
        for number in range(staged.shards)
    ]
