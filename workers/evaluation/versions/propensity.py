"""A version of a propensity model, on the examples that came after its cut-off."""

from dataclasses import dataclass

import numpy as np

from limner.language.errors import LimnerError
from limner.language.learning import Propensity
from limner.workers.evaluation.entities import codes, least
from limner.workers.evaluation.propensity import Examples, evaluate
from limner.workers.evaluation.report import Contribution
from limner.workers.evaluation.versions.asked import Asked, Basis, Told
from limner.workers.evaluation.weighted import Array
from limner.workers.members import text_of
from limner.workers.models import training
from limner.workers.models.columns import Place, by_input
from limner.workers.models.contents import read_learned
from limner.workers.models.drawing import examples
from limner.workers.models.instants import last_told
from limner.workers.models.learned import Learned

MOST = 50_000
"""At most so many rows are measured on: of more, those of the entities whose keys' SHA-256 is least."""


@dataclass(frozen=True)
class _Drawn:
    """Examples, how long after an instant its label is complete and known (µs), and the digest of them all."""

    found: Examples
    complete: int
    digest: str


@dataclass(frozen=True)
class _Chosen:
    """Who says what, from which examples it was learned, and on which it is measured."""

    basis: Basis
    says: Learned
    learned: Examples
    later: Examples
    note: str = ""


def propensity(asked: Asked) -> Told:
    """Beside the majority and the best of its features alone. LimnerError where there is too little to tell."""
    from threadpoolctl import threadpool_limits

    version = read_learned(asked.data, asked.model.model, asked.version.id)
    before = _draw(asked, version, "before", asked.version.cut_off)
    after = _draw(asked, version, "after", asked.known_by, since=asked.version.cut_off)
    with threadpool_limits(1):  # sums of several threads depend on their number
        chosen = _chosen(asked, version, before, after)
        later, notes = _part(chosen.later)
        evaluation, drift = evaluate(
            asked.model.model,
            ["" if isinstance(each, Place) else each.name for each in version.reads],
            chosen.learned,
            later,
            (chosen.says.probability(chosen.learned.features), chosen.says.probability(later.features)),
            before.complete,
            draws=asked.draws,
            seed=asked.version.seed,
        )
    if before.digest != asked.version.data:
        notes.append("what it learned from is not in its files as it was: rows came late, or were changed")
    learns = _learns(asked)
    return Told(
        basis=chosen.basis,
        evaluation=evaluation,
        question=_question(asked),
        facts={
            "learner": f"{learns.learner}, calibration: {learns.calibrate}",
            "learned from": _said(chosen.learned),
            "measured on": _said(later),
            "label window": f"{learns.label.next.text} from each instant",
        },
        notes=tuple(each for each in (chosen.note, *notes) if each),
        drift=tuple(drift),
        contributions=_contributions(
            version.inputs, by_input(version.inputs, version.reads, chosen.says.scorer.contributions(later.features))
        ),
    )


def _learns(asked: Asked) -> Propensity:
    assert asked.model.propensity is not None
    return asked.model.propensity


def _draw(asked: Asked, version: Learned, name: str, cut_off: int, since: int | None = None) -> _Drawn:
    when, files = examples(
        asked.specs, asked.model, cut_off, asked.root, asked.data, asked.context, asked.stage / name, since
    )
    keys = tuple(sorted(asked.specs.entities[asked.model.about].join_keys))
    newest = max((each.newest for each in files if each.newest is not None), default=None)
    last = last_told(when, newest, cut_off)
    _, table = training.table_of([each.file for each in files], keys, version.inputs, last)
    found = training.examples_of(table, version.reads)
    places, names = codes(table, keys)
    entities = np.array(names, dtype=object)[places]
    drawn = Examples(found.rows, found.label, entities, found.at)
    return _Drawn(drawn, when.ahead + when.settle, training.digest(table))


def _chosen(asked: Asked, version: Learned, before: _Drawn, after: _Drawn) -> _Chosen:
    """The version on later examples; where there are too few, its procedure as of an earlier cut-off."""
    learned, later = before.found, after.found
    name, since = asked.model.model, text_of(asked.version.cut_off)
    if min(_both(later)) >= training.FEW:
        return _Chosen("later", version, learned, later)
    begin = training.later_from(learned.instants)
    early, late = learned.of(learned.instants + before.complete <= begin), learned.of(learned.instants >= begin)
    yes, no = _both(later)
    few = f"after {since} came {yes + no:,} examples with a complete label, {yes:,} of them yes"
    if min(*_both(early), *_both(late)):
        task = training.Training(
            (),
            (),
            version.inputs,
            _learns(asked),
            before.complete,
            begin,
            asked.version,
            asked.data,
            allow_suspicious=True,
        )
        says, _ = training.learn(task, version.reads, training.Examples(early.instants, early.features, early.labels))
        note = f"{few}: this is what the same procedure was worth as of an earlier cut-off, {text_of(begin)}"
        return _Chosen("earlier", says, early, late, note)
    raise LimnerError(
        f"model {name}: version {asked.version.id} cannot be measured: {few}, and those before are too few to keep "
        "later ones apart: evaluate it when more has become known"
    )


def _both(found: Examples) -> tuple[int, int]:
    """How many labels are yes, and how many are no."""
    yes = int(found.labels.sum())
    return yes, len(found.labels) - yes


def _part(found: Examples) -> tuple[Examples, list[str]]:
    """All rows of so many entities as can be measured, and a note where that is not all of them."""
    names, places = np.unique(found.entities, return_inverse=True)
    kept = least(places.reshape(-1), names.tolist(), MOST)
    if kept.all():
        return found, []
    return found.of(kept), [f"measured on all examples of some entities: {kept.sum():,} of {len(kept):,}"]


def _question(asked: Asked) -> str:
    label = _learns(asked).label
    measured = getattr(label, label.measure) if label.measure is not None else ""
    what = f"{label.measure} of {label.from_}" if measured == "*" else f"{label.measure} of {measured} of {label.from_}"
    where = f" where {label.where.text}" if label.where is not None else ""
    return f"Of each {asked.model.about}: will the {what}{where} in the next {label.next.text} be {label.is_}?"


def _said(found: Examples) -> str:
    first, last = text_of(int(found.instants.min())), text_of(int(found.instants.max()))
    return (
        f"{len(found.labels):,} examples of {len(np.unique(found.entities)):,} entities at "
        f"{len(np.unique(found.instants)):,} instants from {first} to {last}, {found.labels.mean():.1%} yes"
    )


def _contributions(inputs: tuple[str, ...], adds: Array) -> tuple[Contribution, ...]:
    """The inputs that add anything, the one that adds most first."""
    sizes, means = np.abs(adds).mean(axis=0), adds.mean(axis=0)
    found = [Contribution(*each) for each in zip(inputs, sizes.tolist(), means.tolist(), strict=True)]
    return tuple(sorted((each for each in found if each.size), key=lambda each: (-each.size, each.feature)))
