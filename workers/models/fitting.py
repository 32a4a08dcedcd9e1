"""Fitting a model: draw its examples shard by shard, learn from them, and register a version."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.learning.binding import inputs_of
from limner.language.models import LearnedModel
from limner.language.repo import Specs
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.history.lock import view_lock
from limner.workers.members import text_of
from limner.workers.models.drawing import examples
from limner.workers.models.examples import Drawn
from limner.workers.models.instants import Instants, last_told
from limner.workers.models.pins import definition_of
from limner.workers.models.sequences.fitting import fit_sequences
from limner.workers.models.texts.fitting import fit_texts
from limner.workers.models.training import Trained, Training, train
from limner.workers.models.versions import Version, folder_of, registered


@dataclass(frozen=True)
class Fitted:
    """A version of a model: made now, `there` already, or (not `registered`) suspicious."""

    version: Version
    registered: bool
    there: bool = False


@dataclass(frozen=True)
class Told:
    """The last instant (µs) whose label is complete, and what there is to say of it."""

    last: int
    notes: tuple[str, ...]


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
    with view_lock(folder_of(data, name), "fitted"):
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        try:
            if model.texts is not None:
                made = fit_texts(
                    specs, model, wanted, cut_off, root, data, context, stage, allow_suspicious=allow_suspicious
                )
                return Fitted(made.version, made.registered)
            if model.sequence is not None:
                trained = fit_sequences(specs, model, wanted, cut_off, root, data, context, stage)
                return Fitted(trained.version, trained.registered)
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
    when, drawn = examples(specs, model, cut_off, root, data, context, stage)
    told = _told(model, when, cut_off, drawn)
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
        notes=told.notes,
        files={},
    )
    training = Training(
        files=tuple(each.file for each in drawn),
        join_keys=tuple(sorted(specs.entities[model.about].join_keys)),
        inputs=inputs_of(model, specs.views),
        learns=model.learns,
        complete=when.ahead + when.settle,
        last=told.last,
        version=version,
        data=data,
        allow_suspicious=allow_suspicious,
    )
    trained: list[Trained] = list(context.workers.map(train, [training]))
    return Fitted(trained[0].version, trained[0].registered)


def _told(model: LearnedModel, when: Instants, cut_off: int, drawn: list[Drawn]) -> Told:
    """Which labels are complete. LimnerError where there are no examples, or nothing happened before the cut-off."""
    label, name = model.learns.label, model.model
    newest = max((each.newest for each in drawn if each.newest is not None), default=None)
    if newest is not None and newest < when.last:
        raise LimnerError(
            f"model {name}: the newest row of {label.from_} known by {text_of(cut_off)} is of {text_of(newest)}, so "
            f"the last {label.next.text} tell nothing: choose an earlier cut-off, such as --as-of {text_of(newest)}"
        )
    last, notes = last_told(when, newest, cut_off), tuple[str, ...]()
    if newest is not None and last < when.last:
        notes = (
            f"the newest row of {label.from_} is of {text_of(newest)}: examples after {text_of(last)} have labels that "
            "are not complete, and have no part in it",
        )
    if not any(each.examples for each in drawn):
        raise LimnerError(
            f"model {name}: there is no example before {text_of(cut_off)}: nobody of the population was known by "
            f"{text_of(when.last)}, the last instant whose label ({label.next.text} ahead) is complete by then: choose "
            "a later cut-off"
        )
    if newest is not None and all(each.first is None or each.first > last for each in drawn):
        raise LimnerError(
            f"model {name}: the newest row of {label.from_} known by {text_of(cut_off)} is of {text_of(newest)}: there "
            f"is nobody whose label ({label.next.text} ahead) is complete by then"
        )
    return Told(last, notes)
