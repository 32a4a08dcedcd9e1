"""Making a version of propensity: examples with labels are drawn, checked, and learned from."""

from dataclasses import dataclass

from limner.language.errors import LimnerError
from limner.language.learning import Propensity
from limner.language.learning.binding import inputs_of
from limner.workers import report
from limner.workers.members import text_of
from limner.workers.models.drawing import examples
from limner.workers.models.examples import Drawn
from limner.workers.models.instants import Instants, last_told
from limner.workers.models.making import Making, Trained
from limner.workers.models.training import Training, train


@dataclass(frozen=True)
class Told:
    """The last instant (µs) whose label is complete, and what there is to say of it."""

    last: int
    notes: tuple[str, ...]


def propensity(making: Making) -> Trained:
    """Make the version. LimnerError where there is nothing to learn from."""
    learns, context = making.model.learns, making.context
    assert isinstance(learns, Propensity)
    when, drawn = examples(making.specs, making.model, making.cut_off, making.root, making.data, context, making.stage)
    told = _told(making.model.model, learns, when, making.cut_off, drawn)
    context.reporter(report.ExamplesDrawn(making.model.model, sum(each.examples for each in drawn)))
    training = Training(
        files=tuple(each.file for each in drawn),
        join_keys=making.join_keys,
        inputs=inputs_of(making.model, making.specs.views),
        learns=learns,
        complete=when.ahead + when.settle,
        last=told.last,
        version=making.version.model_copy(
            update={"examples": {"unanswered": sum(each.unanswered for each in drawn)}, "notes": told.notes}
        ),
        data=making.data,
        allow_suspicious=making.allow_suspicious,
    )
    trained: list[Trained] = list(context.workers.map(train, [training]))
    return trained[0]


def _told(name: str, learns: Propensity, when: Instants, cut_off: int, drawn: list[Drawn]) -> Told:
    """Which labels are complete. LimnerError where there are no examples, or nothing happened before the cut-off."""
    label = learns.label
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
