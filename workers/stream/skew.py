"""Whether what is online is what a run computes from the files at the same instant."""

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.workers.context import RunContext
from limner.workers.differences import Differences
from limner.workers.fitting import fits_by
from limner.workers.history.manifest import History
from limner.workers.intervals import Interval
from limner.workers.online.database import Database, Generation, Snapshot
from limner.workers.online.healing import AHEAD
from limner.workers.online.loading import schema_of
from limner.workers.online.locate import Place
from limner.workers.online.opening import open_database
from limner.workers.online.rows import Row, Wrong, count
from limner.workers.plan import ViewPlan
from limner.workers.staged import stage_rows
from limner.workers.stream.export import settle
from limner.workers.stream.members import left_of, member_tables
from limner.workers.stream.state import FILE, State
from limner.workers.text.vectors import stored_vectors
from limner.workers.windows.compute import compute

_STAGE = Path("stage") / "skew"  # below the data folder


@dataclass
class Skew:
    """What was compared of one view as of an instant (µs UTC); each row is an entity.

    `missing` are entities that should be online and are not, `strange` those that should not.
    """

    view: str
    at: int
    differences: Differences = field(default_factory=Differences)

    @property
    def agrees(self) -> bool:
        """Whether there is no difference at all."""
        return self.differences.none


def skew(plan: ViewPlan, place: Place, context: RunContext, sample: int, seed: int = 0) -> Skew:
    """Compare the online values of at most `sample` entities with a computation from all rows.

    `seed` chooses them: an entity is chosen or not whatever others there are, as far as the sample reaches. The instant
    is that up to which the view is computed, by a run or by a stream worker. An entity that changes meanwhile is left
    out. A view over views is computed from the histories of its members. LimnerError where nothing is served, or a
    source fails. `context` must have one shard.
    """
    at, schema = _computed(plan), schema_of(plan)
    settle(plan.data, plan.name, plan.fingerprint, 0)  # all events up to then are in the files
    database = open_database(place)
    try:
        before = _fetch(database, plan, lambda keys: _chosen(keys, sample, seed))
        rows = _values(plan, at, context)
        expected = dict(zip(schema.encode_table(rows), schema.layout.pack(rows), strict=True))
        chosen = _chosen({*expected, *before}, sample, seed)
        after = _fetch(database, plan, lambda _: chosen)
    finally:
        database.close()
    found, now = Skew(plan.name, at), time.time_ns() // 1000
    for key in chosen:
        online, right = after.get(key), expected.get(key)
        if before.get(key) != online or (online is not None and at < online[0] <= now + AHEAD):
            continue  # an event came
        found.differences.compared += 1
        stamp = at if online is None else online[0]
        count(found.differences, schema, Wrong(key, online, None if right is None else (stamp, right)))
    return found


def _chosen(keys: Iterable[bytes], sample: int, seed: int) -> list[bytes]:
    salt = seed.to_bytes(16, "big", signed=True)
    return nsmallest(sample, keys, key=lambda key: hashlib.blake2b(key, digest_size=8, key=salt).digest())


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


def _fetch(database: Database, plan: ViewPlan, choose: Callable[[Iterable[bytes]], list[bytes]]) -> Mapping[bytes, Row]:
    """Event timestamp and packed value of the entities that `choose` takes of all that are online."""
    schema = schema_of(plan)

    def fetch(snapshot: Snapshot) -> Mapping[bytes, Row]:
        generation: Generation | None = snapshot.served().get(plan.name)
        if generation is None or generation.schema != schema:
            raise LimnerError(f"view {plan.name!r} is not online as it is declared: run `limner materialize` first")
        return snapshot.fetch(generation, choose(snapshot.keys(generation)))

    return database.read(fetch)


def _values(plan: ViewPlan, at: int, context: RunContext) -> pa.Table:
    """The values of every entity known at `at`, from the files, as a run computes those at its beginning."""
    stage = plan.data / _STAGE
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    try:
        fits = fits_by(plan, at, plan.folder / plan.fingerprint, stage / "fits", context)
        tables = _rows(plan, at, stage, context)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return compute(tables, plan.task(at, at, fits=fits), stored_vectors(plan.data / "embeddings", plan.encoders)).base


def _rows(plan: ViewPlan, at: int, stage: Path, context: RunContext) -> dict[str, pa.Table]:
    """The rows known at `at`, by source or member; of members those too that a worker has not yet written."""
    if plan.members and (plan.data / FILE).exists():
        state = State(plan.data)
        try:
            left = {each.view: left_of(state, each.view, each.fingerprint) for each in plan.members}
        finally:
            state.close()
        return member_tables(plan, at, stage, context, left)
    staged = stage_rows(plan, Interval(at, at, base=True, reasons=()), stage, context, tell=False)
    return {name: pq.read_table(each.shards[0]) for name, each in staged.prepared.items()}
