"""From labelled texts to a version of a classifier: learn on earlier ones, stop and calibrate on later ones, measure on
ones later still. A text is where it was known first, and in one place: no text is measured on that was learned from.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.language.learning.classifier import Classifier
from limner.workers.derive.values import Array
from limner.workers.models.making import Trained
from limner.workers.models.texts.learned import Content, Head, TextModel, Tuned
from limner.workers.models.texts.linear import counted, head, temperature
from limner.workers.models.texts.measures import measured
from limner.workers.models.texts.network import convolution
from limner.workers.models.texts.rows import Texts
from limner.workers.models.texts.scoring import ARRAYS, scorer
from limner.workers.models.texts.tuned import Bench, tuned, tuned_files, tuned_said, tuned_together
from limner.workers.models.versions import LEARNED, Version, digests, register
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.models import Encoding

LATER = 0.2  # the part of the texts that is kept to stop, to calibrate, or to measure on
LEAST = 5  # later texts, or one cannot tell anything by them
TOO_GOOD = 0.995
FEW = 10  # later texts of a class: of fewer, chance may tell all apart


@dataclass(frozen=True)
class TextTraining:
    """What a worker process is handed. `encoder`: whose vectors are learned on; they are in `data`.

    `bench`: where an encoder is tuned, instead.
    """

    texts: Texts
    kind: Classifier
    encoder: Encoding | None
    version: Version  # without what is found out
    data: Path
    allow_suspicious: bool
    bench: Bench | None = None


# What a model cannot say as numbers in JSON: a file's bytes, or the folder of a tuned encoder.
Arrays = bytes | Path


def train(task: TextTraining) -> Trained:
    """Learn, measure and register. LimnerError where nothing can be learned."""
    from threadpoolctl import threadpool_limits

    name, kind = task.version.model, task.kind
    texts = _known(task)
    counts = np.bincount(texts.label, minlength=len(kind.names)) if len(texts) else np.zeros(len(kind.names), int)
    if not texts.mixed:
        raise LimnerError(
            f"model {name}: all {len(texts):,} texts are {kind.names[int(counts.argmax())]}, so there is nothing to "
            "tell apart: look at its classes and at the label's column, or choose a later cut-off"
        )
    if task.bench is not None:
        tuned_together(task.bench, kind, task.version, [each for each in _splits(texts) if each is not None])
    with threadpool_limits(1):  # sums of several threads depend on their number
        model, arrays, notes = _learn(task, texts)
        metrics, why, many = _measure(task, texts)
    empty = [each for each, count in zip(kind.names, counts, strict=True) if not count]
    missing = [f"no text is {each}" for each in empty]
    suspicious = str(kind.label.text.text) if many and metrics.get("roc_auc", 0.0) > TOO_GOOD else ""
    files = contents(model, arrays)
    version = task.version.model_copy(
        update={
            "data": texts.identity,
            "examples": {
                **task.version.examples,
                "learned_from": len(texts),
                "classes": dict(zip(kind.names, counts.tolist(), strict=True)),
                "first": int(texts.known[0]),
                "last": int(texts.known[-1]),
            },
            "metrics": metrics,
            "notes": (*task.version.notes, *missing, *notes, *why),
            "suspicious": suspicious,
            "files": digests(files),
        }
    )
    if suspicious and not task.allow_suspicious:
        return Trained(version, registered=False)
    if task.bench is not None:
        return Trained(version, registered=False, files=files)
    register(task.data, version, files)
    return Trained(version, registered=True)


def contents(model: TextModel, arrays: Arrays = b"") -> dict[str, bytes | Path]:
    """The files of a version."""
    files: dict[str, bytes | Path] = {LEARNED: Content(model=model).model_dump_json(indent=1).encode()}
    if isinstance(arrays, Path):
        return files | tuned_files(arrays, model.temperature)
    return files | ({ARRAYS: arrays} if arrays else {})


def _known(task: TextTraining) -> Texts:
    """Those that have a vector, where vectors are learned on."""
    if task.encoder is None or not len(task.texts):
        return task.texts
    missing = EmbeddingCache(task.data / "embeddings", task.encoder).missing(task.texts.digest)
    lost = set(missing.to_pylist())
    return task.texts.of(np.array([each not in lost for each in task.texts.digest.to_pylist()], bool))


def _parts(texts: Texts) -> tuple[Texts, Texts | None]:
    """What is learned from, and what tells when it is enough, where there is enough of that."""
    early, late = split(texts)
    return (early, late) if _enough(early, late) else (texts, None)


def _splits(texts: Texts) -> list[tuple[Texts, Texts | None] | None]:
    """What `_learn` is called with: for the version, and to measure."""
    early, late = split(texts)
    return [_parts(texts), _parts(early) if _enough(early, late) else None]


def _learn(task: TextTraining, texts: Texts) -> tuple[TextModel, Arrays, list[str]]:
    """Learn from the earlier texts, and stop and calibrate by the later ones where there are enough."""
    kind, seed, notes = task.kind, task.version.seed, []
    early, late = _parts(texts)
    if late is None:
        notes.append("not calibrated: there are too few later texts that differ")
    model: TextModel
    arrays: Arrays = b""
    inputs = _inputs(task, early)
    later = None if late is None else (_inputs(task, late), late.label)
    if task.bench is not None:
        model, arrays = tuned(task.bench, kind, task.version, early, late)
    elif kind.method == "head":
        model = head(kind.names, kind, (inputs, early.label), later)
    elif kind.method == "tfidf":
        model = counted(kind.names, kind, (inputs, early.label), later)
    else:
        model, arrays = convolution(kind.names, kind, (inputs, early.label), later, seed)
    if later is not None:
        scores = np.log(np.maximum(_said(model, arrays, later[0]), 1e-30))  # up to what all classes have in common
        model = model.model_copy(update={"temperature": temperature(scores, later[1])})
    return model, arrays, notes


def _measure(task: TextTraining, texts: Texts) -> tuple[dict[str, float], list[str], bool]:
    """What the same procedure would have been worth, had it been carried out as of an earlier cut-off; and whether it
    was measured on so many texts that one may wonder at it.
    """
    early, late = split(texts)
    if not _enough(early, late):
        return {}, ["not measured: there are too few later texts that differ"], False
    model, arrays, _ = _learn(task, early)
    metrics = measured(_said(model, arrays, _inputs(task, late)), late.label, task.kind.names)
    return metrics, [], bool(np.unique(late.label, return_counts=True)[1].min() >= FEW)


def _enough(early: Texts, late: Texts) -> bool:
    return early.mixed and late.mixed and len(late) >= LEAST


def split(texts: Texts) -> tuple[Texts, Texts]:
    """The earlier texts, and about the last fifth; those that were first known at one instant stay together."""
    begin = texts.known[min(len(texts) - 1, int(np.ceil((1 - LATER) * len(texts))))]
    return texts.of(texts.known < begin), texts.of(texts.known >= begin)


def as_of_earlier(task: TextTraining) -> tuple[Texts, Texts, Array, Array] | None:
    """The earlier texts, later ones, and what is said of both by what the earlier ones teach; None for too few."""
    texts = _known(task)
    early, late = split(texts)
    if not _enough(early, late):
        return None
    model, arrays, _ = _learn(task, early)
    return early, late, _said(model, arrays, _inputs(task, early)), _said(model, arrays, _inputs(task, late))


def _inputs(task: TextTraining, texts: Texts) -> Any:
    """Vectors [texts, dim] where an encoder makes them, else the texts."""
    if task.encoder is None:
        return texts.text
    digests: pa.Array = texts.digest
    return EmbeddingCache(task.data / "embeddings", task.encoder).load(digests)


def _said(model: TextModel, arrays: Arrays, inputs: Any) -> Array:
    if isinstance(model, Tuned):
        assert isinstance(arrays, Path)
        return tuned_said(model, arrays, list(inputs))
    assert isinstance(arrays, bytes)
    if isinstance(model, Head):
        return model.probabilities(np.asarray(inputs))
    return scorer(model, arrays)(list(inputs))
