"""Materializing one view: select what is missing, execute it in tasks, record it. Repeating a run changes nothing."""

import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from limner.language.closure import closure
from limner.workers import report
from limner.workers.carry.begin import Beginning, begin
from limner.workers.carry.kept import RECORD, Handed, write_record
from limner.workers.context import RunContext
from limner.workers.derive.rows import Fits
from limner.workers.differences import Differences
from limner.workers.fitting import fits_by
from limner.workers.history.agreement import compare_rows, streamed_parts
from limner.workers.history.latest import latest_rows
from limner.workers.history.lock import view_lock
from limner.workers.history.manifest import History, Segment
from limner.workers.history.served import serve
from limner.workers.history.version import Version
from limner.workers.intervals import Interval, missing, replaces
from limner.workers.ledger import TaskKey
from limner.workers.members import inputs_of
from limner.workers.plan import ViewPlan
from limner.workers.shard import ShardResult, ShardTask, run_shard
from limner.workers.sources.inputs import inputs_fingerprint
from limner.workers.staged import Staged, stage_rows
from limner.workers.stream.export import settle
from limner.workers.windows.carried import UnlikeStateError
from limner.workers.windows.timeline import tick_at_or_before

Switch = Callable[[Path, str], object]


@dataclass(frozen=True)
class RunResult:
    """What a run of one view did."""

    plan: ViewPlan
    history: History
    start: int
    end: int
    history_rows: int
    reasons: tuple[str, ...]
    seconds: float
    summary: dict[str, object] = field(default_factory=dict)
    replaced: bool = False  # earlier rows gave way to others: an entity's newest row may be an older one than before

    def latest(self) -> Iterator[pa.RecordBatch]:
        """The newest history row of each entity that changed after `start` (all entities, at the beginning)."""
        return latest_rows(self.history, self.plan.join_keys, self.start)


def materialize(plan: ViewPlan, start: int, end: int, context: RunContext, *, switch: Switch = serve) -> RunResult:
    """Bring the history of a view up to cover (start, end] (µs). Readers see all of it or nothing new.

    `switch` (folder of the view's histories, fingerprint) points readers at a history that is complete. Raises
    LimnerError, and leaves what is served as it was, if a source, the encoder or a store fails.
    """
    begun = time.monotonic()
    history = History(plan.folder / plan.fingerprint)
    settle(plan.data, plan.name, plan.fingerprint, end)
    with view_lock(plan.folder):
        inputs = _inputs(plan)
        manifest = history.manifest()
        interval = missing(manifest, start, end, inputs)
        if interval is None:
            switch(plan.folder, plan.fingerprint)
            reasons = ("up to date",)
            return RunResult(plan, history, start, end, 0, reasons, time.monotonic() - begun)
        context.reporter(report.ViewStarted(plan.name, interval.start, interval.end, interval.reasons))
        stage = plan.data / "stage" / plan.name
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        try:
            rows, summary, mended = _extend(plan, history, interval, inputs, stage, context)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        switch(plan.folder, plan.fingerprint)
    return RunResult(
        plan=plan,
        history=history,
        start=min(start, interval.start),
        end=end,
        history_rows=rows,
        reasons=interval.reasons,
        seconds=time.monotonic() - begun,
        summary=summary,
        replaced=mended or replaces(manifest, interval),
    )


def _inputs(plan: ViewPlan) -> str | None:
    """The identity of all that a run reads; None where a source cannot tell."""
    if plan.members:
        return inputs_of(plan.members)
    return inputs_fingerprint(plan.specs, plan.view.reads, plan.root)


def _extend(
    plan: ViewPlan, history: History, interval: Interval, inputs: str | None, stage: Path, context: RunContext
) -> tuple[int, dict[str, object], bool]:
    """The rows, what the ledger keeps, and whether some of a stream worker's rows differed."""
    fits = fits_by(plan, interval.end, history.folder, stage / "fits", context)
    beginning = begin(plan, history, interval, context.shards)
    try:
        made = _rows(plan, history, interval, inputs, stage, fits, context, beginning)
    except UnlikeStateError as error:
        beginning = replace(beginning, handed=None, why=str(error))
        made = _rows(plan, history, interval, inputs, stage, fits, context, beginning)
    inputs, staged, results, name = made
    folder = history.folder / name
    segment = Segment(
        after=interval.start,
        until=interval.end,
        files=tuple(f"{name}/{_file(r.number)}" for r in results if r.changes),
        inputs=inputs,
    )
    base = [f"{name}/{_base_file(r.number)}" for r in results if r.base] if interval.base else []
    folder.mkdir(parents=True, exist_ok=True)
    _version(plan).write(history.folder)
    streamed = _streamed(plan, history, segment, stage, context)
    history.commit(segment, base, _hand_on(plan, history, interval, name, staged) if beginning.keep else ())
    rows = sum(r.changes + r.base for r in results)
    carried = {"carried": beginning.handed is not None, **({"not_carried": beginning.why} if beginning.why else {})}
    told = {**staged.summary(), "history_rows": rows, **carried}
    return rows, told if streamed is None else {**told, "stream": streamed.to_json()}, bool(streamed and streamed.rows)


def _streamed(
    plan: ViewPlan, history: History, segment: Segment, stage: Path, context: RunContext
) -> Differences | None:
    """How the rows that a stream worker wrote differ from those of the run that are to take their place."""
    worker, run = streamed_parts(history, segment)
    if not worker and not run:
        return None
    features = [output.name for output in plan.outputs]
    told = compare_rows(worker, run, plan.join_keys, features, stage, context.memory_limit)
    if not told.none:
        context.reporter(report.StreamMended(plan.name, told))
    return told


def _rows(
    plan: ViewPlan,
    history: History,
    interval: Interval,
    inputs: str | None,
    stage: Path,
    fits: Fits,
    context: RunContext,
    beginning: Beginning,
) -> tuple[str | None, Staged, list[ShardResult], str]:
    """Stage the rows and run the shards. UnlikeStateError where sums were handed on that are not those of the rows."""
    staged = stage_rows(plan, interval, stage, context, beginning)
    if staged.differs:
        raise UnlikeStateError(staged.differs)
    if staged.texts_failed:
        inputs = None  # rows made without those texts are not final: the next run over them tries again
    return inputs, staged, *_shards(plan, history, interval, inputs, staged, fits, context, beginning)


def _hand_on(plan: ViewPlan, history: History, interval: Interval, name: str, staged: Staged) -> list[str]:
    """Write the record of what this run hands on; returns its file and those of the shards."""
    handed = Handed(
        at=tick_at_or_before(plan.view.grid, interval.end),
        files=tuple(f"{name}/{_state_file(number)}" for number in range(staged.shards)),
        seen={source: each.seen for source, each in staged.prepared.items() if each.seen is not None},
    )
    write_record(history.folder / name / RECORD, handed)
    return [f"{name}/{RECORD}", *handed.files]


def _version(plan: ViewPlan) -> Version:
    return Version(
        view=plan.name,
        fingerprint=plan.fingerprint,
        closure=closure(plan.specs, plan.name),
        encoders={name: model.fingerprint for name, model in plan.encoders.items()},
        dims={name: model.dim for name, model in plan.encoders.items()},
    )


def _shards(
    plan: ViewPlan,
    history: History,
    interval: Interval,
    inputs: str | None,
    staged: Staged,
    fits: Fits,
    context: RunContext,
    beginning: Beginning,
) -> tuple[list[ShardResult], str]:
    """Run the shards that a killed run of the same inputs has not finished; the folder's name is their identity."""
    identity = inputs[:16] if inputs is not None else uuid.uuid4().hex[:16]
    how = "base-" if interval.base else "on-" if beginning.handed is not None else ""
    name = f"{interval.start}-{interval.end}-{staged.shards}-{how}{identity}"
    folder = history.folder / name
    task = plan.task(interval.start, interval.end, base=interval.base, fits=fits, keep=beginning.keep)
    handed = beginning.handed
    pending, done = [], []
    for number in range(staged.shards):
        shard = ShardTask(
            number=number,
            rows={source: prepared.shards[number] for source, prepared in staged.prepared.items()},
            changes=folder / _file(number),
            base=folder / _base_file(number) if interval.base else None,
            task=task,
            requests=staged.requests,
            embeddings=plan.data / "embeddings",
            encoders=plan.encoders,
            carried=history.folder / handed.files[number] if handed is not None else None,
            state=folder / _state_file(number) if beginning.keep else None,
            known=tuple(each.known[number] for each in staged.prepared.values() if each.known),
        )
        finished = _finished(shard, _key(plan, interval, number), inputs, context)
        if finished is None:
            pending.append(shard)
        else:
            done.append(finished)
            context.reporter(report.ShardDone(plan.name, len(done), staged.shards, finished.changes, reused=True))
    begun = time.monotonic()
    for result in context.workers.map(run_shard, pending):
        done.append(result)
        seconds = time.monotonic() - begun
        key = _key(plan, interval, result.number)
        context.ledger.record_task(
            context.run_id,
            key,
            inputs,
            result.changes + result.base,
            seconds,
            str(folder / _file(result.number)),
        )
        context.reporter(report.ShardDone(plan.name, len(done), staged.shards, result.changes))
    return sorted(done, key=lambda each: each.number), name


def _finished(shard: ShardTask, key: TaskKey, inputs: str | None, context: RunContext) -> ShardResult | None:
    """What an earlier, killed run of this very task wrote; None if it must be computed."""
    if inputs is None or not context.ledger.task_done(key, inputs) or not shard.changes.exists():
        return None
    if any(file is not None and not file.exists() for file in (shard.base, shard.state)):
        return None
    import pyarrow.parquet as pq

    base = pq.read_metadata(shard.base).num_rows if shard.base is not None else 0
    return ShardResult(shard.number, pq.read_metadata(shard.changes).num_rows, base)


def _key(plan: ViewPlan, interval: Interval, number: int) -> TaskKey:
    return TaskKey(plan.name, plan.fingerprint, interval.start, interval.end, number)


def _file(number: int) -> str:
    return f"{number:04d}.parquet"


def _state_file(number: int) -> str:
    return f"{number:04d}-state.parquet"


def _base_file(number: int) -> str:
    return f"{number:04d}-base.parquet"
