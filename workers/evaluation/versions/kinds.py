"""By kind of models, the function that evaluates a version."""

from collections.abc import Mapping

from limner.language.errors import LimnerError
from limner.workers.evaluation.versions.asked import Asked, Evaluate, Told
from limner.workers.evaluation.versions.classifier import classifier
from limner.workers.evaluation.versions.interests import interests
from limner.workers.evaluation.versions.propensity import propensity
from limner.workers.evaluation.versions.segments import segments
from limner.workers.evaluation.versions.sequence import sequence

EVALUATIONS: Mapping[str, Evaluate] = {
    "classifier": classifier, "interests": interests, "propensity": propensity, "segments": segments,
    "sequence": sequence,
}  # fmt: skip


def evaluate(asked: Asked) -> Told:
    """Evaluate a version. LimnerError where it cannot be measured, or nothing measures its kind."""
    kind = asked.version.kind
    if kind not in EVALUATIONS:
        raise LimnerError(
            f"limner evaluate measures models of the kinds {', '.join(sorted(EVALUATIONS))}, and "
            f"{asked.model.model} is {kind}: `limner models {asked.model.model}` says what its versions are worth"
        )
    return EVALUATIONS[kind](asked)
