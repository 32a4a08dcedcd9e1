"""Fitting a model of texts: read what was known by the cut-off, encode it, learn, and register a version."""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.language.learning.classifier import Classifier
from limner.language.learning.document import LearnedModel
from limner.language.learning.interests import Interests
from limner.language.repo import Specs
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.members import text_of
from limner.workers.models.making import Making, Trained
from limner.workers.models.texts.learned import Tuned
from limner.workers.models.texts.prototypes import Tagged, interests
from limner.workers.models.texts.rows import Texts, read_texts, request_of, staged
from limner.workers.models.texts.scoring import TEXT, read_model
from limner.workers.models.texts.served import served_model
from limner.workers.models.texts.training import TextTraining, contents, train
from limner.workers.models.texts.tuned import PROGRESS, Bench, bench_of
from limner.workers.models.versions import Version, digests, folder_of, register
from limner.workers.models.watching import watching
from limner.workers.sources.describe import describe
from limner.workers.sources.request import PrepareRequest
from limner.workers.sources.texts import finished
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.ensure import ensure
from limner.workers.text.learning import learned
from limner.workers.text.models import AnyEncoder, Encoding, encoder_model, learned_from
from limner.workers.text.scorers import TextScorer
from limner.workers.text.terms import TermsModel

KEPT = ".tuning"
"""Below a model's folder: checkpoints of a training that has not come to its end."""


@dataclass(frozen=True)
class _Known:
    """What is there to learn from: texts, the rows that have one, and the file of all of them."""

    texts: Texts
    rows: int
    file: Path
    request: PrepareRequest


def fit_texts(making: Making) -> Trained:
    """Make the version of a model of texts. LimnerError where there is nothing to learn from."""
    specs, model, cut_off, root, data = making.specs, making.model, making.cut_off, making.root, making.data
    texts, context, stage = model.texts, making.context, making.stage
    assert texts is not None
    kept, classifier = folder_of(data, model.model) / KEPT, model.classifier
    bench = bench_of(specs, classifier, root, kept, stage / PROGRESS, context.tuning_workers)
    encoder = None if texts.vectors is None else encoder_model(specs, texts.vectors, root, data)
    found = _read(specs, model, cut_off, encoder, root, data, context, stage)
    context.reporter(report.ExamplesDrawn(model.model, len(found.texts)))
    if encoder is not None:
        tags = [_tags_file(texts, encoder, stage)] if isinstance(texts, Interests) else []
        _encode(specs, model, encoder, [found.file, *tags], found.request, root, data, context)
    version = making.version.model_copy(update={"examples": {"rows": found.rows}})
    if isinstance(texts, Classifier):
        training = TextTraining(found.texts, texts, encoder, version, data, making.allow_suspicious, bench)
        if bench is not None:
            return _tuned(training, bench, context, stage)
        (trained,) = context.workers.map(train, [training])
        return trained
    assert encoder is not None
    task = Weighing(found.texts, texts, encoder, version, data)
    (trained,) = context.workers.map(weigh, [task])
    return trained


def _tuned(training: TextTraining, bench: Bench, context: RunContext, stage: Path) -> Trained:
    """Tune; have the server load what was made, and only then register it. A server that refuses it changes nothing."""
    several = bench.workers > 1  # they take a CPU each, and who waits for them none
    with watching(bench.progress, context.reporter):
        (trained,) = context.workers.map(train, [training], cpus=0 if several else 1)
    if trained.files is None:
        return trained
    version, files = trained.version, trained.files
    folder = stage / "served"
    folder.mkdir()
    for name, content in files.items():
        if isinstance(content, Path):
            shutil.copyfile(content, folder / name)
        else:
            (folder / name).write_bytes(content)
    if context.serve is not None:
        learned = read_model(folder)
        assert isinstance(learned, Tuned)
        scorer = TextScorer(version.model, version.id, len(learned.classes), training.data)
        state = context.serve(served_model(learned, scorer, folder))
        context.reporter(report.ModelServed(version.model, version.id, state))
    register(training.data, version, files)
    shutil.rmtree(bench.folder, ignore_errors=True)
    return Trained(version, registered=True)


def _read(
    specs: Specs, model: LearnedModel, cut_off: int, encoder: Encoding | None, root: Path, data: Path,
    context: RunContext, stage: Path,
) -> _Known:  # fmt: skip
    prefix = "" if encoder is None else encoder.prefix
    request = request_of(specs, model, cut_off, prefix, root, data, stage / "rows", context)
    prepared = staged(request, context)
    kind = model.classifier
    since = None if kind is None or kind.over is None else cut_off - kind.over.micros
    texts, rows = read_texts(prepared.shards[0], prepared.texts[TEXT], kind, since)
    if not len(texts):
        what = "a text and a label that means a class" if kind is not None else "a text"
        raise LimnerError(
            f"model {model.model}: no row of {request.source} that is known by {text_of(cut_off)} has {what}: choose a "
            "later cut-off"
        )
    return _Known(texts, rows, _kept(texts, stage), request)


def _kept(texts: Texts, stage: Path) -> Path:
    """A file of the texts that are learned from: no other one is encoded."""
    path = stage / "texts.parquet"
    pq.write_table(pa.table({"digest": texts.digest.cast(pa.binary()), "text": texts.text}), path)
    return path


def _tags_file(kind: Interests, encoder: Encoding, stage: Path) -> Path:
    """A file of the descriptions and examples of tags."""
    texts = sorted({text for text, _, _ in _described(kind, encoder)})
    path = stage / "tags.parquet"
    pq.write_table(pa.table({"digest": pa.array(map(_digest, texts), pa.binary()), "text": texts}), path)
    return path


def _described(kind: Interests, encoder: Encoding) -> list[tuple[str, int, bool]]:
    """(text as the encoder is given it, place of its tag, whether it is an example)."""
    found = []
    for place, tag in enumerate(kind.tags.values()):
        for number, text in enumerate((tag.about, *tag.examples)):
            found.append((finished(text, encoder.prefix) or text, place, number > 0))
    return found


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()[:16]


def _encode(
    specs: Specs, model: LearnedModel, encoder: AnyEncoder, files: Sequence[Path], request: PrepareRequest, root: Path,
    data: Path, context: RunContext,
) -> None:  # fmt: skip
    if isinstance(encoder, TermsModel):
        raw = {each: describe(specs.sources[each], root) for each in learned_from(specs, {encoder.name: encoder})}
        wide = replace(request, raw={**request.raw, **raw})
        if not learned(encoder, wide, data, context.workers):
            raise LimnerError(
                f"model {model.model}: encoder {encoder.name!r} learns as of its fit, and that is after this cut-off: "
                "choose a later cut-off"
            )
    cache = EmbeddingCache(data / "embeddings", encoder)
    encode = context.encode_with(encoder)
    ensure(list(files), cache, encode, context.workers, context.reporter, memory_limit=context.memory_limit)


@dataclass(frozen=True)
class Weighing:
    """What a worker process is handed to learn interests."""

    texts: Texts
    kind: Interests
    encoder: Encoding
    version: Version
    data: Path


def weigh(task: Weighing) -> Trained:
    """Learn interests, and register the version."""
    from threadpoolctl import threadpool_limits

    cache = EmbeddingCache(task.data / "embeddings", task.encoder)
    known = task.texts.digest
    lost = cache.missing(known)
    if len(lost):
        gone = set(lost.to_pylist())
        known = pa.array([each for each in known.to_pylist() if each not in gone], pa.binary(16))
    described = _described(task.kind, task.encoder)
    vectors = cache.load(pa.array([_digest(text) for text, _, _ in described], pa.binary(16)))
    tagged = Tagged(
        vectors, np.array([place for _, place, _ in described]), np.array([each for _, _, each in described])
    )
    with threadpool_limits(1):  # sums of several threads depend on their number
        head, metrics, notes = interests(task.kind.names, tagged, cache.load(known))
    files = contents(head)
    examples = np.bincount(tagged.tag[tagged.example], minlength=len(task.kind.names)).tolist()
    version = task.version.model_copy(
        update={
            "data": task.texts.identity,
            "examples": {
                **task.version.examples,
                "learned_from": len(known),
                "classes": dict(zip(task.kind.names, examples, strict=True)),
                "first": int(task.texts.known[0]),
                "last": int(task.texts.known[-1]),
            },
            "metrics": metrics,
            "notes": tuple(notes),
            "files": digests(files),
        }
    )
    register(task.data, version, files)
    return Trained(version, registered=True)


def known_texts(
    specs: Specs, model: LearnedModel, known_by: int, root: Path, data: Path, context: RunContext, stage: Path, *,
    scorer: TextScorer | None = None, whole: bool = False,
) -> Texts:  # fmt: skip
    """The texts of a classifier that are known by an instant (µs), each where it was known first, with their labels.

    Those of the last `over`, or of the `whole` time. They have vectors where the classifier takes some, and scores of
    a version where `scorer` makes them of texts. LimnerError where there is no text.
    """
    kind = model.classifier
    assert kind is not None
    if whole and kind.over is not None:
        model = model.model_copy(update={"classifier": kind.model_copy(update={"over": None})})
    encoder = None if kind.vectors is None else encoder_model(specs, kind.vectors, root, data)
    found = _read(specs, model, known_by, encoder, root, data, context, stage)
    for each in (encoder, scorer):
        if each is not None:
            _encode(specs, model, each, [found.file], found.request, root, data, context)
    if encoder is None:
        return found.texts
    lost = set(EmbeddingCache(data / "embeddings", encoder).missing(found.texts.digest).to_pylist())
    return found.texts.of(np.array([each not in lost for each in found.texts.digest.to_pylist()], bool))
