"""A version of interests, on texts of which a column says the tag: those that were known first after its cut-off."""

import numpy as np

from limner.language.errors import LimnerError
from limner.workers.evaluation.drift import by_month
from limner.workers.evaluation.versions.asked import Asked, Told
from limner.workers.evaluation.versions.classifier import few_of, measured, part_of, probabilities, said, score
from limner.workers.members import text_of
from limner.workers.models.texts.fitting import known_texts
from limner.workers.models.texts.training import FEW
from limner.workers.text.scorers import TextScorer


def interests(asked: Asked) -> Told:
    """Beside the majority, and TF-IDF of characters with logistic regression, which learns from the column; the version
    does not. Where too few are later, on all, beside the majority alone. LimnerError where nothing tells the truth.
    """
    from threadpoolctl import threadpool_limits

    kind, name, cut_off = asked.model.interests, asked.model.model, asked.version.cut_off
    assert kind is not None
    classes = kind.as_classes
    if classes is None:
        raise LimnerError(
            f"model {name}: no column tells what its texts are about, so there is nothing to measure it by: add truth "
            f"to interests, or see `limner models {name}` for what its examples tell"
        )
    model = asked.model.model_copy(update={"interests": None, "classifier": classes})
    scorer = TextScorer(name, asked.version.id, len(kind.names), asked.data, kind.vectors)
    earlier, known = (
        known_texts(asked.specs, model, until, asked.root, asked.data, asked.context, asked.stage / stage)
        for until, stage in ((cut_off, "before"), (asked.known_by, "after"))
    )
    later, notes = known.of(known.known > cut_off), list[str]()
    if few := few_of(later) < FEW:
        # Nothing is learned from the column: earlier texts measure the version as well, but not what learns from it.
        notes.append(
            f"{len(later):,} texts of which {classes.label.column} says a tag were known first after "
            f"{text_of(cut_off)}: measured on those known before, too, from whose tags the version learned nothing"
        )
        later = known
    if few_of(later) < FEW:
        raise LimnerError(
            f"model {name}: version {asked.version.id} cannot be measured: of {len(later):,} texts does "
            f"{classes.label.column} say a tag, and of one tag only: see `truth`, or wait until more has become known"
        )
    first = later.known
    columns = [kind.names.index(tag) for tag in classes.names]
    before, after = (probabilities(asked, scorer, each)[:, columns] for each in (earlier, later))
    before, after = (each / each.sum(axis=1, keepdims=True) for each in (before, after))
    with threadpool_limits(1):  # sums of several threads depend on their number
        later, said_of, cut = part_of(later, after)
        evaluation = measured(asked, classes.names, earlier, later, said_of, terms=not few)
    if len(columns) < len(kind.names):
        notes.append(f"measured among the {len(columns)} tags of {len(kind.names)} that {classes.label.column} tells")
    scores, instants = score(after), first
    if not few:
        scores, instants = np.concatenate([score(before), scores]), np.concatenate([earlier.known, first])
    return Told(
        basis="later",
        evaluation=evaluation,
        question=f"Which of {', '.join(classes.names)} is a text of {classes.label.source} about?",
        facts={
            "learned from": "descriptions and examples of the tags; the baselines from " + said(earlier, classes),
            "measured on": said(later, classes),
            "intervals": "each text stands for itself: equal ones are one",
        },
        notes=(*notes, *cut),
        drift=tuple(by_month(score(before), scores, instants)),
    )
