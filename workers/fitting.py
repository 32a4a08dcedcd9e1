"""Fits of a view: made of the population as of their instant, kept with the history they belong to, never remade."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.language.features import Asking, OfSequence
from limner.language.outputs import Output
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.derive.fit import Fit
from limner.workers.derive.learn import Population, make, needed, population
from limner.workers.derive.rows import Fits
from limner.workers.history.files import replace as write
from limner.workers.intervals import Interval
from limner.workers.models.sequences.learned import Behaving, behaving
from limner.workers.models.speaking import Speaking, speaking
from limner.workers.plan import ViewPlan
from limner.workers.staged import stage_rows
from limner.workers.text.models import AnyEncoder
from limner.workers.text.vectors import stored_vectors
from limner.workers.windows.compute import Task, compute


@dataclass(frozen=True)
class FitTask:
    """One shard of the population: what a worker process is handed."""

    rows: Mapping[str, Path]  # by source
    task: Task
    wanted: tuple[Output, ...]
    embeddings: Path
    encoders: Mapping[str, AnyEncoder]


def fits_by(plan: ViewPlan, end: int, folder: Path, stage: Path, context: RunContext) -> Fits:
    """The fits of a view whose instant is not after `end` (µs), by output; those not yet in `folder` are made.

    The population of a fit are the entities known at the last instant of the grid at or before its own, with the
    values that they had then. Of models, the versions that the view was applied with.
    """

    def learn(instant: int, wanted: Sequence[Output], fits: Fits) -> Mapping[str, Sequence[Population]]:
        context.reporter(report.FitStarted(plan.name, tuple(output.name for output in wanted), instant))
        return _learn(plan, instant, tuple(wanted), fits, stage, context)

    made = read_fits(folder)
    spoken: dict[str, Speaking | Behaving] = {}
    for output in plan.computed:
        if isinstance(output.feature, Asking):
            spoken[output.name] = speaking(output.feature, plan.data, end)
        elif isinstance(output.feature, OfSequence):
            spoken[output.name] = behaving(output.feature, plan.data, end)
    for name, fit in make(plan.computed, end, {**made, **spoken}, learn).items():
        made[name] = fit
        folder.mkdir(parents=True, exist_ok=True)
        write(folder / f"fit-{name}.json", fit.model_dump_json(indent=1).encode())
    return {**spoken, **{name: fit for name, fit in made.items() if fit.instant <= end}}


def read_fits(folder: Path) -> dict[str, Fit]:
    """The fits that are kept in the folder of a history, by output. LimnerError if one cannot be read."""
    found = {}
    for path in sorted(folder.glob("fit-*.json")):
        try:
            fit = Fit.model_validate_json(path.read_bytes())
        except ValueError as error:
            text = f"{path} cannot be read ({error}); delete {folder} and materialize again"
            raise LimnerError(text) from error
        found[fit.output] = fit
    return found


def _learn(
    plan: ViewPlan, instant: int, wanted: tuple[Output, ...], fits: Fits, stage: Path, context: RunContext
) -> dict[str, list[Population]]:
    inputs = {each.name: each for output in wanted for each in needed(plan.computed, output)}
    outputs = tuple(output for output in plan.computed if output.name in inputs)
    narrow = replace(plan, outputs=outputs, hidden=())
    staged = stage_rows(narrow, Interval(instant, instant, base=True, reasons=()), stage, context, tell=False)
    if staged.texts_failed:
        text = "texts of the population could not be encoded: its fit would not be the same again; see the quarantine"
        raise LimnerError(f"feature view {plan.name}: {text}")
    task = narrow.task(instant, instant, fits=dict(fits))
    tasks = [
        FitTask(
            rows={source: prepared.shards[number] for source, prepared in staged.prepared.items()},
            task=task,
            wanted=wanted,
            embeddings=plan.data / "embeddings",
            encoders=plan.encoders,
        )
        for number in range(staged.shards)
    ]
    found: dict[str, list[Population]] = {output.name: [] for output in wanted}
    for result in context.workers.map(learn_shard, tasks):
        for name, part in result.items():
            found[name].append(part)
    shutil.rmtree(stage, ignore_errors=True)
    return found


def learn_shard(shard: FitTask) -> dict[str, Population]:
    """What one shard adds to each of the fits wanted."""
    tables = {source: pq.read_table(path) for source, path in shard.rows.items()}
    rows = compute(tables, shard.task, stored_vectors(shard.embeddings, shard.encoders)).base
    return {output.name: population(rows, shard.task.join_keys, output) for output in shard.wanted}
