"""Fitting a model of sequences: read what was known by the cut-off, learn, and register a version."""

from pathlib import Path

from limner.language.models import LearnedModel
from limner.language.repo import Specs
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.models.making import Making, Trained
from limner.workers.models.sequences.training import SequenceTraining, train
from limner.workers.sources.describe import describe
from limner.workers.sources.prepare import Prepared, PrepareRequest, prepare


def fit_sequences(making: Making) -> Trained:
    """Make the version of a model of sequences. LimnerError where there is nothing to learn from."""
    model, data, context = making.model, making.data, making.context
    assert model.sequence is not None
    request = request_of(making.specs, model, making.cut_off, making.root, data, making.stage / "rows", context)
    request.stage.mkdir(parents=True)
    prepared: list[Prepared] = list(context.workers.map(prepare, [request]))
    context.reporter(report.ExamplesDrawn(model.model, prepared[0].rows_kept))
    task = SequenceTraining(prepared[0].shards, request.join_keys, model.sequence, making.version, data)
    trained: list[Trained] = list(context.workers.map(train, [task]))
    return trained[0]


def request_of(
    specs: Specs, model: LearnedModel, cut_off: int, root: Path, data: Path, stage: Path, context: RunContext
) -> PrepareRequest:
    """What is read: the rows known by an instant (µs) that a model of sequences reads."""
    learns = model.sequence
    assert learns is not None
    asked = learns.where.columns if learns.where is not None else ()
    return PrepareRequest(
        specs=specs,
        source=learns.from_,
        join_keys=tuple(sorted(specs.entities[model.about].join_keys)),
        columns=tuple(sorted({*learns.read, *asked})),
        raw={each: describe(specs.sources[each], root) for each in (learns.from_, *specs.sources[learns.from_].others)},
        texts={},
        lower=None,
        known_after=cut_off,  # none is new: rows that are bad are counted where a view reads them
        until=cut_off,
        total_order=True,
        shards=context.shards,
        root=root,
        stage=stage,
        run_id=context.run_id,
        memory_limit=context.memory_limit,
        data=data,
    )
