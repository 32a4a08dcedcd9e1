"""Fitting a model: the version as of a cut-off is made by its kind, unless it is there."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from limner.language.errors import LimnerError
from limner.language.models import LearnedModel
from limner.language.repo import Specs
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.history.lock import view_lock
from limner.workers.members import text_of
from limner.workers.models.making import Making, Trained
from limner.workers.models.pins import definition_of
from limner.workers.models.propensity import propensity
from limner.workers.models.segmenting import segments
from limner.workers.models.sequences.fitting import fit_sequences
from limner.workers.models.texts.fitting import fit_texts
from limner.workers.models.versions import Version, folder_of, registered

_KINDS: dict[str, Callable[[Making], Trained]] = {
    "propensity": propensity, "segments": segments, "classifier": fit_texts, "interests": fit_texts,
    "sequence": fit_sequences,
}  # fmt: skip


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


def there(data: Path, name: str, definition: str, cut_off: int) -> Fitted | None:
    """The version of a definition as of a cut-off (µs), if it is there."""
    found = (
        each for each in registered(data, name).values() if (each.definition, each.cut_off) == (definition, cut_off)
    )
    return next((Fitted(each, registered=True, there=True) for each in found), None)


def fit(
    specs: Specs, name: str, cut_off: int, root: Path, data: Path, context: RunContext, *, allow_suspicious: bool
) -> Fitted:
    """Make the version of a model as of a cut-off (µs), unless it is there. Nothing known later has a part in it.

    LimnerError where there is nothing to learn from.
    """
    model = specs.models[name]
    wanted = definition_of(specs, name, root, data)
    if (known := there(data, name, wanted, cut_off)) is not None:
        return known
    stage = data / "stage" / f"model-{name}"
    with view_lock(folder_of(data, name), "fitted"):
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        try:
            context.reporter(report.ModelStarted(name, cut_off))
            made = _KINDS[model.said](
                Making(specs, model, wanted, cut_off, root, data, context, stage, allow_suspicious)
            )
            return Fitted(made.version, made.registered)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
