"""Fitting a model: draw its examples shard by shard, learn from them, and register a version."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.learning.binding import read_by
from limner.language.learning.queries import Query
from limner.language.learning.questions import questions
from limner.language.models import Grid, LearnedModel
from limner.language.repo import Specs
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.fitting import fits_by
from limner.workers.history.manifest import History
from limner.workers.intervals import Interval
from limner.workers.members import text_of
from limner.workers.models.examples import Asked, Drawn, ExampleTask, Question, draw
from limner.workers.models.instants import Instants, coarser, instants
from limner.workers.models.pins import definition_of
from limner.workers.models.training import Trained, Training, train
from limner.workers.models.versions import Version, registered
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.staged import stage_rows
from limner.workers.windows.compute import Task


@dataclass(frozen=True)
class Fitted:
    """A version of a model: made now, `there` already, or (not `registered`) suspicious."""

    version: Version
    registered: bool
    there: bool = False


def due(model: LearnedModel, now: int) -> tuple[int, ...]:
    """The cut-offs (µs) of a model's schedule that are not after `now`, in order. LimnerError where there is none."""
    if model.cut_off > now:
        raise LimnerError(
            f"model {model.model}: its first cut-off is {text_of(model.cut_off)}, and that has not come yet: "
            "wait, declare an earlier cut_off, or give one with --as-of"
        )
    if model.refit is None:
        return (model.cut_off,)
    return tuple(range(model.cut_off, now + 1, model.refit.micros))


def fit(
    specs: Specs, name: str, cut_off: int, root: Path, data: Path, context: RunContext, *, allow_suspicious: bool
) -> Fitted:
    """Make the version of a model as of a cut-off (µs), unless it is there. Nothing known later has a part in it.

    LimnerError where there is nothing to learn from.
    """
    model = specs.models[name]
    wanted = definition_of(specs, name, root, data)
    for each in registered(data, name).values():
        if (each.definition, each.cut_off) == (wanted, cut_off):
            return Fitted(each, registered=True, there=True)
    stage = data / "stage" / f"model-{name}"
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        return _fit(specs, model, wanted, cut_off, root, data, context, stage, allow_suspicious)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _fit(
    specs: Specs,
    model: LearnedModel,
    wanted: str,
    cut_off: int,
    root: Path,
    data: Path,
    context: RunContext,
    stage: Path,
    allow_suspicious: bool,
) -> Fitted:
    context.reporter(report.ModelStarted(model.model, cut_off))
    when = instants(model.learns, cut_off)
    read = read_by(model, specs.views)
    plans = {view: _narrow(plan_view(specs, view, root, data), outputs) for view, outputs in read.items()}
    when = _covered(plans, when)
    tasks = list(_tasks(specs, model, plans, when, cut_off, root, data, context, stage))
    drawn = sorted(context.workers.map(draw, tasks), key=lambda each: each.file)
    _check(model, when, cut_off, drawn)
    context.reporter(report.ExamplesDrawn(model.model, sum(each.examples for each in drawn)))
    version = Version(
        model=model.model,
        kind=model.learns.kind,
        definition=wanted,
        cut_off=cut_off,
        seed=model.seed,
        data="",
        examples={"unanswered": sum(each.unanswered for each in drawn)},
        metrics={},
        files={},
    )
    training = Training(
        files=tuple(each.file for each in drawn),
        join_keys=tuple(sorted(specs.entities[model.entity].join_keys)),
        inputs=tuple(f"{view}.{output}" for view, outputs in read.items() for output in outputs),
        learns=model.learns,
        version=version,
        data=data,
        allow_suspicious=allow_suspicious,
    )
    trained: list[Trained] = list(context.workers.map(train, [training]))
    return Fitted(trained[0].version, trained[0].registered)


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
        assert label is not None
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
    staged = stage_rows(plan, interval, stage, context, tell=False)
    if staged.texts_failed:
        raise LimnerError(f"feature view {plan.name}: texts could not be encoded: see the quarantine, and fit again")
    own: Grid = plan.view.grid
    grid = when.grid if coarser(when.grid, own) else own
    task = Task(
        plan.join_keys, plan.outputs, {**plan.digests, **plan.measures}, grid, cut_off, cut_off,
        hidden=plan.hidden, fits=dict(fits),
    )  # fmt: skip
    return [
        Asked({source: each.shards[number] for source, each in staged.prepared.items()}, task, plan.encoders)
        for number in range(staged.shards)
    ]


def _check(model: LearnedModel, when: Instants, cut_off: int, drawn: list[Drawn]) -> None:
    """LimnerError where there are no examples, or where the time before the cut-off is empty."""
    label, name = model.learns.label, model.model
    newest = max((each.newest for each in drawn if each.newest is not None), default=None)
    if newest is not None and newest < when.last:
        raise LimnerError(
            f"model {name}: the newest row of {label.from_} known by {text_of(cut_off)} is of {text_of(newest)}, so "
            f"the last {label.next.text} tell nothing: choose an earlier cut-off, such as --as-of {text_of(newest)}"
        )
    if not any(each.examples for each in drawn):
        raise LimnerError(
            f"model {name}: there is no example before {text_of(cut_off)}: nobody of the population was known by "
            f"{text_of(when.last)}, the last instant whose label ({label.next.text} ahead) is complete by then: choose "
            "a later cut-off"
        )
