"""A version of a classifier, on the texts that were known first after its cut-off."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.language.learning.classifier import Classifier
from limner.workers.evaluation.baselines import TermsAndLine, majority
from limner.workers.evaluation.drift import by_month
from limner.workers.evaluation.entities import least
from limner.workers.evaluation.evaluate import Evaluation, of_classes
from limner.workers.evaluation.versions.asked import Asked, Basis, Told
from limner.workers.evaluation.weighted import Array
from limner.workers.members import text_of
from limner.workers.models.texts.fitting import known_texts
from limner.workers.models.texts.rows import Texts
from limner.workers.models.texts.training import FEW, TextTraining, as_of_earlier
from limner.workers.models.texts.tuned import PROGRESS, bench_of
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.models import encoder_model
from limner.workers.text.scorers import TextScorer, scored

MOST = 20_000
"""At most so many texts are measured on: of more, those whose digests' SHA-256 is least."""


@dataclass(frozen=True)
class _Chosen:
    """What was learned from, what is measured on, and the probabilities of both, (texts, classes)."""

    basis: Basis
    learned: Texts
    later: Texts
    before: Array
    after: Array
    note: str = ""


def classifier(asked: Asked) -> Told:
    """Beside the majority and TF-IDF of characters with logistic regression. LimnerError for too few texts."""
    from threadpoolctl import threadpool_limits

    kind = asked.model.classifier
    assert kind is not None
    chosen = _chosen(asked, kind)
    with threadpool_limits(1):  # sums of several threads depend on their number
        later, after, notes = part_of(chosen.later, chosen.after)
        evaluation = measured(asked, kind.names, chosen.learned, later, after)
    instants = np.concatenate([chosen.learned.known, chosen.later.known])
    scores = np.concatenate([score(chosen.before), score(chosen.after)])
    return Told(
        basis=chosen.basis,
        evaluation=evaluation,
        question=f"Which of {', '.join(kind.names)} is the {kind.label.column} of {kind.label.source}?",
        facts={
            "method": kind.learner,
            "learned from": said(chosen.learned, kind),
            "measured on": said(later, kind),
            "intervals": "each text stands for itself: equal ones are one",
        },
        notes=tuple(each for each in (chosen.note, *notes) if each),
        drift=tuple(by_month(score(chosen.before), scores, instants)),
    )


def _chosen(asked: Asked, kind: Classifier) -> _Chosen:
    """The version on later texts; where there are too few, its procedure as of an earlier cut-off."""
    name, cut_off = asked.model.model, asked.version.cut_off
    scorer = TextScorer(name, asked.version.id, len(kind.names), asked.data, kind.vectors)
    kept = scorer if kind.vectors is None else None
    learned, known = (
        known_texts(
            asked.specs, asked.model, until, asked.root, asked.data, asked.context, asked.stage / part,
            scorer=kept, whole=whole,
        )
        for until, part, whole in ((cut_off, "before", False), (asked.known_by, "after", True))
    )  # fmt: skip
    later = known.of(known.known > cut_off)
    if few_of(later) >= FEW:
        before, after = (probabilities(asked, scorer, each) for each in (learned, later))
        return _Chosen("later", learned, later, before, after)
    few = f"{len(later):,} texts with a label were known first after {text_of(cut_off)}"
    encoder = None if kind.vectors is None else encoder_model(asked.specs, kind.vectors, asked.root, asked.data)
    bench = bench_of(asked.specs, kind, asked.root, asked.stage / "tuning", asked.stage / PROGRESS)
    task = TextTraining(learned, kind, encoder, asked.version, asked.data, allow_suspicious=True, bench=bench)
    found = as_of_earlier(task)
    if found is not None:
        begin = text_of(int(found[1].known[0]))
        note = f"{few}: this is what the same procedure was worth as of an earlier cut-off, {begin}"
        return _Chosen("earlier", *found, note)
    raise LimnerError(
        f"model {name}: version {asked.version.id} cannot be measured: {few}, and those before are too few to keep "
        "later ones apart: evaluate it when more has become known"
    )


def few_of(texts: Texts) -> int:
    """How many texts the second most frequent class has."""
    counts = np.sort(np.bincount(texts.label, minlength=2)) if len(texts) else np.zeros(2, int)
    return int(counts[-2])


def probabilities(asked: Asked, scorer: TextScorer, texts: Texts) -> Array:
    """What the version says of texts, as views are told: (texts, classes)."""
    if scorer.base is None:
        found = EmbeddingCache(asked.data / "embeddings", scorer).load(texts.digest)
    else:
        encoder = encoder_model(asked.specs, scorer.base, asked.root, asked.data)
        found = scored(scorer, EmbeddingCache(asked.data / "embeddings", encoder).load(texts.digest))
    whole = np.asarray(found, dtype=np.float64)
    return np.asarray(whole / whole.sum(axis=1, keepdims=True))  # they are kept as float32


def part_of(later: Texts, after: Array) -> tuple[Texts, Array, list[str]]:
    """So many texts, with their probabilities, as can be measured, and a note where that is not all of them."""
    digests: pa.Array = later.digest
    kept = least(np.arange(len(digests)), [each.hex() for each in digests.to_pylist()], MOST)
    if kept.all():
        return later, after, []
    return later.of(kept), after[kept], [f"measured on some texts: {kept.sum():,} of {len(kept):,}"]


def measured(
    asked: Asked, names: tuple[str, ...], learned: Texts, later: Texts, said: Array, *, terms: bool = True
) -> Evaluation:
    """What the version `said` of later texts, (texts, classes), beside those who learned of earlier ones."""
    contenders = {asked.model.model: said}
    found = terms_of(learned, later, len(names)) if terms else None
    if found is not None:
        contenders["TF-IDF of characters and a line"] = found
    contenders["majority"] = majority(learned.label.astype(np.intp), len(names), len(later))
    there = len(np.unique(later.label)) == len(names)
    return of_classes(
        later.label.astype(np.intp),
        names,
        contenders,
        np.arange(len(later)),
        decides="" if there else "accuracy",
        draws=asked.draws,
        seed=asked.version.seed,
    )


def terms_of(learned: Texts, asked: Texts, classes: int) -> Array | None:
    """Probabilities of TF-IDF and a line, (texts, classes); None where no term occurs twice."""
    there, places = np.unique(learned.label, return_inverse=True)
    try:
        line = TermsAndLine.fit(learned.text, places.reshape(-1).astype(np.intp), len(there))
    except ValueError:
        return None
    found = np.zeros((len(asked), classes))
    found[:, there] = line.probabilities(asked.text)
    return found


def score(probabilities: Array) -> Array:
    """Of two classes the second one's probability, of more that of the class that is said."""
    return np.asarray(probabilities[:, 1] if probabilities.shape[1] == 2 else probabilities.max(axis=1))


def said(texts: Texts, kind: Classifier) -> str:
    """How many texts of which class, and of when."""
    counts = np.bincount(texts.label, minlength=len(kind.names))
    parts = ", ".join(f"{count / len(texts):.1%} {name}" for name, count in zip(kind.names, counts, strict=True))
    first, last = text_of(int(texts.known.min())), text_of(int(texts.known.max()))
    return f"{len(texts):,} texts, first known from {first} to {last}: {parts}"
