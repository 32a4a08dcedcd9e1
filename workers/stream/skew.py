"""Whether what is online is what a run computes from the files at the same instant."""

import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.workers.context import RunContext
from limner.workers.fitting import fits_by
from limner.workers.history.manifest import History
from limner.workers.intervals import Interval
from limner.workers.online.database import Generation, Snapshot
from limner.workers.online.loading import schema_of
from limner.workers.online.locate import Place
from limner.workers.online.opening import open_database
from limner.workers.plan import ViewPlan
from limner.workers.staged import stage_rows
from limner.workers.stream.export import settle
from limner.workers.stream.state import FILE, State
from limner.workers.text.vectors import stored_vectors
from limner.workers.windows.compute import Task, compute

Online = dict[bytes, tuple[int, bytes]]
_STAGE = Path("stage") / "skew"  # below the data folder


@dataclass
class Skew:
    """What was compared of one view as of an instant (µs UTC): entities, and where they differ by feature.

    `missing`: entities that should be online and are not; `strange`: those that should not.
    """

    view: str
    at: int
    compared: int = 0
    features: Counter[str] = field(default_factory=Counter)
    missing: int = 0
    strange: int = 0

    @property
    def agrees(self) -> bool:
        """Whether there is no difference at all."""
        return not self.features and not self.missing and not self.strange


def skew(plan: ViewPlan, place: Place, context: RunContext, sample: int) -> Skew:
    """Compare the online values of at most `sample` entities (chosen at random) with a computation from all rows.

    The instant is that up to which the view is computed, by a run or by a stream worker. An entity that changes
    meanwhile is left out. LimnerError where nothing is served, or a source fails. `context` must have one shard.
    """
    settle(plan.data, plan.name, plan.fingerprint, 0)
    at = _computed(plan)
    before = _online(plan, place)
    rows = _values(plan, at, context)
    schema = schema_of(plan)
    keys = schema.encode_table(rows)
    expected = dict(zip(keys, schema.layout.pack(rows), strict=True))
    chosen = sorted({*expected, *(key for key, (stamp, _) in before.items() if stamp <= at)})
    if len(chosen) > sample:
        chosen = random.sample(chosen, sample)
    after = _online(plan, place)
    found = Skew(plan.name, at)
    for key in chosen:
        stamp, value = after.get(key, (0, None))
        if before.get(key) != after.get(key) or stamp > at:
            continue  # an event came
        found.compared += 1
        if value is None or key not in expected:
            found.missing += value is None
            found.strange += value is not None
        elif value != expected[key]:
            for place_, column in enumerate(schema.columns):
                if schema.layout.raw(value, place_) != schema.layout.raw(expected[key], place_):
                    found.features[column.name] += 1
    return found


def _computed(plan: ViewPlan) -> int:
    """Up to when what is online is computed."""
    if (plan.data / FILE).exists():
        state = State(plan.data)
        try:
            progress = state.progress(plan.name, plan.fingerprint)
        finally:
            state.close()
        if progress is not None:
            return max(progress[1], _covered(plan))
    return _covered(plan)


def _covered(plan: ViewPlan) -> int:
    coverage = History(plan.folder / plan.fingerprint).coverage()
    if coverage is None:
        raise LimnerError(f"view {plan.name!r} has no history: run `limner materialize START END` first")
    return coverage[1]


def _online(plan: ViewPlan, place: Place) -> Online:
    """Every entity's event timestamp and packed value."""
    schema = schema_of(plan)

    def scan(snapshot: Snapshot) -> Online:
        generation: Generation | None = snapshot.served().get(plan.name)
        if generation is None or generation.schema != schema:
            raise LimnerError(f"view {plan.name!r} is not online as it is declared: run `limner materialize` first")
        return {key: (stamp, bytes(value)) for key, stamp, value in snapshot.scan(generation)}

    database = open_database(place)
    try:
        return database.read(scan)
    finally:
        database.close()


def _values(plan: ViewPlan, at: int, context: RunContext) -> pa.Table:
    """The values of every entity known at `at`, from the files, as a run computes those at its beginning."""
    stage = plan.data / _STAGE
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        fits = fits_by(plan, at, plan.folder / plan.fingerprint, stage / "fits", context)
        staged = stage_rows(plan, Interval(at, at, base=True, reasons=()), stage, context, tell=False)
        tables = {name: pq.read_table(each.shards[0]) for name, each in staged.prepared.items()}
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    task = Task(
        plan.join_keys,
        plan.outputs,
        {**plan.digests, **plan.measures},
        plan.view.grid,
        at,
        at,
        base=True,
        hidden=plan.hidden,
        fits=fits,
    )
    return compute(tables, task, stored_vectors(plan.data / "embeddings", plan.encoders)).base
