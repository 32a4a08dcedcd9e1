"""Materializing one view: select what is missing, execute it in tasks, record it. Repeating a run changes nothing."""

import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from limner.language.closure import closure
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.history.latest import latest_rows
from limner.workers.history.lock import view_lock
from limner.workers.history.manifest import History, Segment
from limner.workers.history.served import serve
from limner.workers.history.version import Version
from limner.workers.intervals import Interval, missing
from limner.workers.ledger import TaskKey
from limner.workers.plan import ViewPlan
from limner.workers.shard import ShardResult, ShardTask, run_shard
from limner.workers.sources.inputs import input_fingerprint
from limner.workers.sources.prepare import Prepared, PrepareRequest, prepare
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.ensure import ensure
from limner.workers.text.failures import write_failed
from limner.workers.text.learning import learned
from limner.workers.text.terms import TermsModel
from limner.workers.windows.compute import Task
from limner.workers.windows.timeline import tick_at_or_before

Switch = Callable[[Path, str], object]
_NEVER = -(2**62)  # µs, before any instant


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
    with view_lock(plan.folder):
        inputs = input_fingerprint(plan.specs, plan.view.source, plan.root)
        interval = missing(history.manifest(), start, end, inputs)
        if interval is None:
            switch(plan.folder, plan.fingerprint)
            reasons = ("up to date",)
            return RunResult(plan, history, start, end, 0, reasons, time.monotonic() - begun)
        context.reporter(report.ViewStarted(plan.name, interval.start, interval.end, interval.reasons))
        stage = plan.data / "stage" / plan.name
        shutil.rmtree(stage, ignore_errors=True)
        stage.mkdir(parents=True)
        try:
            rows, summary = _extend(plan, history, interval, inputs, stage, context)
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
    )


def _extend(
    plan: ViewPlan, history: History, interval: Interval, inputs: str | None, stage: Path, context: RunContext
) -> tuple[int, dict[str, object]]:
    request = _request(plan, interval, stage, context)
    prepared = next(iter(context.workers.map(prepare, [request])))
    _tell(plan, prepared, context)
    failed = _encode(plan, prepared, request, context)
    if failed:
        inputs = None  # rows made without those texts are not final: the next run over them tries again
    results, name = _shards(plan, history, interval, inputs, request, prepared, context)
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
    history.commit(segment, base)
    rows = sum(r.changes + r.base for r in results)
    summary: dict[str, object] = {
        "rows_read": prepared.rows_read,
        "rows_kept": prepared.rows_kept,
        "dropped": dict(prepared.dropped),
        "quarantined": dict(prepared.quarantined),
        "unmatched": dict(prepared.unmatched),
        "texts_failed": failed,
        "history_rows": rows,
    }
    return rows, summary


def _version(plan: ViewPlan) -> Version:
    return Version(
        view=plan.name,
        fingerprint=plan.fingerprint,
        closure=closure(plan.specs, plan.name),
        encoders={name: model.fingerprint for name, model in plan.encoders.items()},
        dims={name: model.dim for name, model in plan.encoders.items()},
    )


def _request(plan: ViewPlan, interval: Interval, stage: Path, context: RunContext) -> PrepareRequest:
    base = tick_at_or_before(plan.view.grid, interval.start)
    # The values at the beginning need every entity ever seen, however long ago; later values only what can
    # still be in a window.
    lower = None if interval.base or plan.reach is None else base - plan.reach
    return PrepareRequest(
        specs=plan.specs,
        source=plan.view.source,
        join_keys=plan.join_keys,
        columns=plan.columns,
        raw=plan.raw,
        texts={column: text for column, (text, _) in plan.texts.items()},
        measures=plan.measured,
        lower=lower,
        # Rows that are bad are counted once: at the beginning all of them are new.
        known_after=_NEVER if interval.base else base,
        until=interval.end,
        total_order=plan.order_matters,
        shards=context.shards,
        root=plan.root,
        stage=stage,
        run_id=context.run_id,
        memory_limit=context.memory_limit,
        data=plan.data,
    )


def _tell(plan: ViewPlan, prepared: Prepared, context: RunContext) -> None:
    source = plan.view.source
    context.reporter(
        report.RowsPrepared(
            plan.name,
            source,
            prepared.rows_read,
            prepared.rows_kept,
            dict(prepared.dropped),
            dict(prepared.quarantined),
        )
    )
    for reason, count in prepared.quarantined.items():
        path = str(prepared.quarantine_file) if prepared.quarantine_file else None
        context.ledger.quarantine(context.run_id, source, reason, count, path)


def _encode(plan: ViewPlan, prepared: Prepared, request: PrepareRequest, context: RunContext) -> int:
    """Make sure that every text has a vector, or is on record as failed; returns how many failed."""
    failed = 0
    for name, model in plan.encoders.items():
        files = [prepared.texts[column] for column, (_, encoder) in plan.texts.items() if encoder == name]
        if not files:
            continue  # only its tokens are counted
        if isinstance(model, TermsModel) and not learned(model, request, plan.data, context.workers):
            continue  # it learns later than this run ends: until then there are no vectors
        cache = EmbeddingCache(plan.data / "embeddings", model)
        encode = context.encode_with(model)
        result = ensure(files, cache, encode, context.workers, context.reporter, memory_limit=context.memory_limit)
        if result.failed:
            failed += len(result.failed)
            _set_aside(plan, name, files, result.failed, context)
    return failed


def _set_aside(
    plan: ViewPlan, encoder: str, files: list[Path], failed: Mapping[bytes, str], context: RunContext
) -> None:
    source = plan.view.source
    path = plan.data / "quarantine" / source / f"{context.run_id}-{plan.name}-{encoder}-texts.parquet"
    write_failed(path, files, failed)
    for reason, count in Counter(failed.values()).items():
        context.ledger.quarantine(context.run_id, source, f"text not encoded: {reason}", count, str(path))


def _shards(
    plan: ViewPlan,
    history: History,
    interval: Interval,
    inputs: str | None,
    request: PrepareRequest,
    prepared: Prepared,
    context: RunContext,
) -> tuple[list[ShardResult], str]:
    """Run the shards that a killed run of the same inputs has not finished; the folder's name is their identity."""
    identity = inputs[:16] if inputs is not None else uuid.uuid4().hex[:16]
    name = f"{interval.start}-{interval.end}-{len(prepared.shards)}-{'base-' if interval.base else ''}{identity}"
    folder = history.folder / name
    task = Task(
        plan.join_keys,
        plan.outputs,
        {**plan.digests, **plan.measures},
        plan.view.grid,
        interval.start,
        interval.end,
        interval.base,
    )
    pending, done = [], []
    for number, rows in enumerate(prepared.shards):
        shard = ShardTask(
            number=number,
            rows=rows,
            changes=folder / _file(number),
            base=folder / _base_file(number) if interval.base else None,
            task=task,
            request=request,
            embeddings=plan.data / "embeddings",
            encoders=plan.encoders,
        )
        finished = _finished(shard, _key(plan, interval, number), inputs, context)
        if finished is None:
            pending.append(shard)
        else:
            done.append(finished)
            context.reporter(
                report.ShardDone(plan.name, len(done), len(prepared.shards), finished.changes, reused=True)
            )
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
        context.reporter(report.ShardDone(plan.name, len(done), len(prepared.shards), result.changes))
    return sorted(done, key=lambda each: each.number), name


def _finished(shard: ShardTask, key: TaskKey, inputs: str | None, context: RunContext) -> ShardResult | None:
    """What an earlier, killed run of this very task wrote; None if it must be computed."""
    if inputs is None or not context.ledger.task_done(key, inputs) or not shard.changes.exists():
        return None
    if shard.base is not None and not shard.base.exists():
        return None
    import pyarrow.parquet as pq

    base = pq.read_metadata(shard.base).num_rows if shard.base is not None else 0
    return ShardResult(shard.number, pq.read_metadata(shard.changes).num_rows, base)


def _key(plan: ViewPlan, interval: Interval, number: int) -> TaskKey:
    return TaskKey(plan.name, plan.fingerprint, interval.start, interval.end, number)


def _file(number: int) -> str:
    return f"{number:04d}.parquet"


def _base_file(number: int) -> str:
    return f"{number:04d}-base.parquet"
