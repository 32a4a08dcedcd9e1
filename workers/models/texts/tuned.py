"""Classifiers that learn an encoder's own weights on: from texts to the files of a network."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from limner.language.errors import LimnerError
from limner.language.learning.classifier import Classifier
from limner.language.repo import Specs
from limner.workers.derive.values import Array
from limner.workers.encoder.calibration import INT8
from limner.workers.encoder.resolve import EncoderModel, resolve
from limner.workers.models.texts.learned import Tuned
from limner.workers.models.texts.rows import Texts
from limner.workers.models.texts.scores import probabilities
from limner.workers.models.tuning.job import Job, Labelled
from limner.workers.models.versions import Version

PROGRESS = "progress.jsonl"


@dataclass(frozen=True)
class Bench:
    """Where an encoder is tuned. `folder` keeps checkpoints from one try to the next; `progress` is for who waits."""

    encoder: EncoderModel
    folder: Path
    progress: Path
    workers: int = 1
    checkpoint_s: float | None = None


def bench_of(
    specs: Specs, classifier: Classifier | None, root: Path, folder: Path, progress: Path, workers: int = 1
) -> Bench | None:
    """Where the encoder of a classifier is tuned, if it is to be. LimnerError where a package for it is missing."""
    tuning = None if classifier is None else classifier.tuning
    if classifier is None or tuning is None or classifier.encoder is None:
        return None
    if tuning.how == "lora" and find_spec("peft") is None:
        raise LimnerError("tune: lora needs the package peft: `pip install 'limner[tune]'`, or choose tune: full")
    return Bench(resolve(specs.encoders[classifier.encoder], root), folder, progress, workers)


Split = tuple[Texts, Texts | None]


def tuned(bench: Bench, kind: Classifier, version: Version, early: Texts, late: Texts | None) -> tuple[Tuned, Path]:
    """Learn; what it learned, and the folder of its files. What was learned before is taken up again."""
    from limner.workers.models.tuning.loop import tune

    job = _job(bench, kind, version, early, late)
    tuning = kind.tuning
    assert tuning is not None
    model = Tuned(
        classes=kind.names,
        how=tuning.how,
        pooling=bench.encoder.pooling,
        max_tokens=bench.encoder.max_tokens,
        precision="auto" if bench.encoder.precision == INT8 else bench.encoder.precision,
    )
    return model, tune(job)


def tuned_together(bench: Bench, kind: Classifier, version: Version, splits: Sequence[Split]) -> None:
    """Let several workers learn first, if there are to be several: `tuned` then finds it done.

    What was kept of other trainings, whose rows or keys have changed, goes.
    """
    jobs = [_job(bench, kind, version, *split) for split in splits]
    for other in {*bench.folder.glob("*")} - {job.folder for job in jobs}:
        shutil.rmtree(other, ignore_errors=True)
    jobs = [job for job in jobs if job.workers > 1 and not job.done]
    if not jobs:
        return
    from limner.workers.cluster import together

    together(partial(_all, jobs), jobs[0].workers, bench.folder / "workers")


def _all(jobs: Sequence[Job], rank: int) -> None:
    from limner.workers.models.tuning.loop import tune

    for job in jobs:
        tune(job, rank)


def tuned_said(model: Tuned, folder: Path, texts: Sequence[str]) -> Array:
    """[texts, classes] probabilities by the network in `folder`, before its head is cooled."""
    from limner.workers.models.tuning.asking import scores

    return probabilities(scores(folder, model.pooling, model.max_tokens, texts), model.temperature)


def tuned_files(folder: Path, temperature: float) -> dict[str, bytes | Path]:
    """The files of a version: those in `folder`, its head's scores divided by the temperature."""
    from limner.workers.models.tuning.asking import cooled
    from limner.workers.models.tuning.network import FILES, HEAD

    files: dict[str, bytes | Path] = {name: folder / name for name in FILES}
    return files | {HEAD: cooled(folder, temperature)}


def _job(bench: Bench, kind: Classifier, version: Version, early: Texts, late: Texts | None) -> Job:
    tuning = kind.tuning
    assert tuning is not None
    job = Job(
        name=version.model,
        encoder=bench.encoder.folder,
        files=bench.encoder.files,
        pooling=bench.encoder.pooling,
        max_tokens=bench.encoder.max_tokens,
        how=tuning.how,
        rank=tuning.inner,
        rate=tuning.highest,
        epochs=tuning.epochs,
        batch=tuning.batch,
        weights=_weights(kind, early.label),
        seed=version.seed,
        early=_labelled(early),
        late=None if late is None else _labelled(late),
        folder=bench.folder,
        workers=min(bench.workers, len(early), tuning.batch),
        progress=bench.progress,
        **({} if bench.checkpoint_s is None else {"checkpoint_s": bench.checkpoint_s}),
    )
    return job.below(bench.folder)


def _labelled(texts: Texts) -> Labelled:
    return Labelled(tuple(texts.text), tuple(texts.label.tolist()))


def _weights(kind: Classifier, label: Array) -> tuple[float, ...]:
    """What a text of each class counts: the same, or each class the same."""
    if kind.weights == "none":
        return (1.0,) * len(kind.names)
    counts = np.bincount(label, minlength=len(kind.names))
    there = int((counts > 0).sum())
    return tuple(float(len(label) / (there * each)) if each else 0.0 for each in counts)
