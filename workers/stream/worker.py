"""A worker: micro-batches of events in, profiles and histories out.

A micro-batch has one instant. Its events become known then; what is computed, and all that follows from it, is one
transaction of the worker's state. What comes after that (online values, the history, the source's files) can be done
again from the state, so a worker that dies anywhere loses nothing and does nothing twice.
"""

import fcntl
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.workers.context import RunContext
from limner.workers.history.latest import latest_rows
from limner.workers.history.lock import view_lock
from limner.workers.history.manifest import STREAM, History, Segment
from limner.workers.online.loading import schema_of, state_of
from limner.workers.online.locate import Place
from limner.workers.online.opening import open_writer
from limner.workers.plan import ViewPlan
from limner.workers.shard import write_part
from limner.workers.sources.instants import datetime_of
from limner.workers.sources.rows import Lasting
from limner.workers.stream.choose import Streamed
from limner.workers.stream.events import Raw
from limner.workers.stream.export import export_of
from limner.workers.stream.inputs import Told
from limner.workers.stream.intake import AHEAD, Intake, Taken, dead_letter
from limner.workers.stream.live import LiveView, Step, boot, read_events
from limner.workers.stream.serving import Serving
from limner.workers.stream.state import FILE, State
from limner.workers.stream.vectors import LiveVectors, Made


def now() -> int:
    """µs since 1970 UTC."""
    return time.time_ns() // 1000


@dataclass
class _Followed:
    """A view, what is served of it, and how far its history is."""

    view: LiveView
    serving: Serving
    history: History
    flushed: int

    @property
    def plan(self) -> ViewPlan:
        return self.view.plan


@dataclass
class Worker:
    """One worker of a project. `clock` gives µs UTC; `at` is told where it is, and may raise: tests stop it there.

    `context` must have one shard, and run its tasks in this process.
    """

    root: Path
    data: Path
    place: Place
    streamed: Streamed
    context: RunContext
    clock: Callable[[], int] = now
    at: Callable[[str], object] = lambda _: None
    _views: list[_Followed] = field(default_factory=list)
    _intakes: dict[str, Intake] = field(default_factory=dict)
    _opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "Worker":
        """Take up what an earlier worker left, then read the views' rows. LimnerError where another one is at work."""
        try:
            self._open()
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Give everything back; `stop` before it writes out what can be written."""
        self._opened.close()

    def step(self, raws: Sequence[Raw], positions: Mapping[str, str] | None = None) -> Told:
        """Take some events, and what is due by now; `positions`: how far inputs are read with them, by name.

        When it returns, the events have happened: the input may forget them. Raises LimnerError before that, and then
        nothing has happened.
        """
        until = max(self.clock(), self._state.instant() + 1, *(each.view.cursor + 1 for each in self._views))
        told, made, dead = Told(), Made(), list[tuple[str, str]]()
        taken = {source: self._take(source, raws, until) for source in dict.fromkeys(raw.source for raw in raws)}
        for source, each in taken.items():
            places = [place for place, raw in enumerate(raws) if raw.source == source]
            told.again |= {places[place] for place in each.repeated}
            for place, reason in each.refused:
                told.refused[places[place]] = reason
                dead.append((source, dead_letter(raws[places[place]].body, reason, until)))
        steps: list[tuple[_Followed, Step]] = []
        try:
            for followed in self._views:
                new = self._clean(followed.plan, taken, until, made, dead, told)
                if new or (followed.view.next_due or until + 1) <= until:
                    steps.append((followed, followed.view.advance(new, until)))
            self.at("computed")
            with self._state.transaction():
                self._commit(until, taken, dead, made, steps, positions or {})
                self.at("in transaction")
        except BaseException:
            self._vectors.forget(made)
            raise
        self.at("committed")
        for followed, step in steps:
            followed.view.keep(step)
            if len(step.changes):
                followed.serving.add(step.changes)
        for followed in self._views:
            followed.view.cursor = until
        told.taken = sum(len(each.lines) for each in taken.values())
        told.repeated = len(told.again)
        told.dead, told.letters, told.changed = len(dead), dead, sum(len(step.changes) for _, step in steps)
        return told

    def _commit(
        self,
        until: int,
        taken: Mapping[str, Taken],
        dead: Sequence[tuple[str, str]],
        made: Made,
        steps: Sequence[tuple[_Followed, Step]],
        positions: Mapping[str, str],
    ) -> None:
        state = self._state
        for source, each in taken.items():
            state.add_events(source, each.lines.values())
            state.remember(source, each.at.items())
        for source, line in dead:
            state.add_dead(source, [line])
        for encoder, vectors in made.vectors.items():
            state.add_vectors(encoder, vectors)
        for followed, step in steps:
            if len(step.changes):
                state.add_change(followed.plan.name, followed.plan.fingerprint, until, step.changes)
        for followed in self._views:
            state.set_progress(followed.plan.name, followed.plan.fingerprint, followed.flushed, until)
        for name, position in positions.items():
            state.set_position(name, position)
        state.set_instant(until)

    def send(self) -> int:
        """Write online what is not there yet; returns the rows. LimnerError where a store fails: call it again."""
        written = sum(followed.serving.send() for followed in self._views)
        self.at("sent")
        return written

    def flush(self) -> bool:
        """Write out what only the worker has: vectors, events, dead letters, history rows.

        False where a run holds a view: its rows stay for the next time.
        """
        export_of(self._state, self.data)
        self.at("exported")
        self._vectors.written()
        for source, intake in self._intakes.items():
            assert intake.source.stream is not None
            self._state.forget(source, self._state.instant() - 2 * intake.source.stream.lateness.micros)
        done = [self._flush(followed) for followed in self._views]
        return all(done)

    def position(self, name: str) -> str | None:
        """How far an input was read."""
        return self._state.position(name)

    @property
    def next_due(self) -> int | None:
        """The next instant (µs) at which a profile changes without an event."""
        return min((due for each in self._views if (due := each.view.next_due) is not None), default=None)

    def _open(self) -> None:
        (self.data / FILE.parent).mkdir(parents=True, exist_ok=True)
        lock = self._opened.enter_context((self.data / FILE.parent / ".lock").open("w"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LimnerError(f"another stream worker is at work on {self.data}") from None
        self._scratch = self.data / FILE.parent / "work"
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        self._lasting = Lasting(self._scratch, self.context.memory_limit)
        self._opened.callback(self._lasting.close)
        self._state = State(self.data)
        self._opened.callback(self._state.close)
        self._state.only_views((name, plan.fingerprint) for name, plan in self.streamed.plans.items())
        export_of(self._state, self.data)
        self._vectors = LiveVectors(self.data / "embeddings", self.context.encode_with)
        instant = max(self.clock(), self._state.instant() + 1)
        for name, source in self.streamed.sources.items():
            plan = next(plan for plan in self.streamed.plans.values() if name in plan.view.reads)
            keys = [source.rename.get(each, each) for each in plan.raw[name]]
            intake = self._intakes[name] = Intake(source, self.root, keys)
            self._opened.callback(intake.close)
            with self._state.transaction():
                if not self._state.complete(name):
                    intake.remember_files(self._state, instant)
                self._state.set_source(name, intake.folder)
        for plan in self.streamed.plans.values():
            self._views.append(self._follow(plan))

    def _follow(self, plan: ViewPlan) -> _Followed:
        """Take up a view where its history, and what an earlier worker left of it, ends."""
        history = History(plan.folder / plan.fingerprint)
        serving = Serving(self.place, plan, self._state.changes(plan.name, plan.fingerprint))
        self._opened.callback(serving.close)
        serving.served()
        progress = self._state.progress(plan.name, plan.fingerprint)
        coverage = history.coverage()
        if coverage is None:
            raise LimnerError(f"view {plan.name!r} has no history: run `limner materialize START END` first")
        if progress is not None:
            self._write_history(plan, history, serving, *progress)
            coverage = history.coverage()
            assert coverage is not None
        start = coverage[1]
        if start > self.clock() + AHEAD:
            raise LimnerError(
                f"view {plan.name!r} is materialized up to {datetime_of(start):%Y-%m-%d %H:%M:%S} UTC, which is in the "
                "future: events change it now"
            )
        self._mend(plan, history)
        view = boot(
            plan, start, self._vectors.of(plan.encoders), serving.knows, self._scratch / plan.name, self.context
        )
        with self._state.transaction():
            self._state.set_progress(plan.name, plan.fingerprint, start, start)
        return _Followed(view, serving, history, start)

    def _mend(self, plan: ViewPlan, history: History) -> None:
        """Write all online values anew where they may not be what the history holds."""
        with view_lock(plan.data / "online" / plan.name, moment=True), open_writer(self.place) as writer:
            served, state, coverage = writer.served(plan.name), state_of(history), history.coverage()
            assert coverage is not None
            if served is not None and served.loaded != state:
                rows = latest_rows(history, plan.join_keys, coverage[0])
                writer.replace(schema_of(plan), rows, loaded=state, as_of=coverage[1])

    def _take(self, source: str, raws: Sequence[Raw], until: int) -> Taken:
        bodies = [raw.body for raw in raws if raw.source == source]
        intake = self._intakes.get(source)
        if intake is None:
            return Taken(refused=[(place, f"no view follows a source {source!r}") for place in range(len(bodies))])
        taken = intake.take(bodies, until, self._state, self._file(source))
        if taken.lines:
            self._file(source).write_text("".join(f"{line}\n" for line in taken.lines.values()), encoding="utf-8")
        return taken

    def _file(self, source: str) -> Path:
        return self._scratch / f"{source}.jsonl"

    def _clean(
        self,
        plan: ViewPlan,
        taken: Mapping[str, Taken],
        until: int,
        made: Made,
        dead: list[tuple[str, str]],
        told: Told,
    ) -> dict[str, pa.Table]:
        """The clean rows of a view, by source; what is quarantined is told in `dead`, vectors are `made`."""
        found: dict[str, pa.Table] = {}
        for source, each in taken.items():
            if source not in plan.view.reads or not each.lines:
                continue
            stage = self._scratch / f"{plan.name}-{source}"
            shutil.rmtree(stage, ignore_errors=True)
            stage.mkdir()
            prepared = read_events(plan, source, self._file(source), stage, self._lasting)
            rows = pq.read_table(prepared.shards[0])
            if len(rows):
                found[source] = rows
            if prepared.quarantine_file is not None:
                name = self._intakes[source].source.stream
                assert name is not None
                column = f"raw.{name.id}" if name.id in ("reason", "source") else name.id
                for row in pq.read_table(prepared.quarantine_file).to_pylist():
                    id_ = str(row[column])
                    told.quarantined.setdefault((source, id_), []).append(f"{plan.name}: {row['reason']}")
                    dead.append((source, dead_letter(each.bodies.get(id_, b""), row["reason"], until, view=plan.name)))
            for encoder, model in plan.encoders.items():
                reading = next(reading for reading in plan.readings if reading.source == source)
                files = [prepared.texts[column] for column, (_, used) in reading.texts.items() if used == encoder]
                self._vectors.make(model, files, made)
        return found

    def _flush(self, followed: _Followed) -> bool:
        plan, until = followed.plan, followed.view.cursor
        try:
            self._write_history(plan, followed.history, followed.serving, followed.flushed, until)
        except _BusyError:
            return False
        followed.flushed = until
        return True

    def _write_history(self, plan: ViewPlan, history: History, serving: Serving, flushed: int, until: int) -> None:
        """Extend a history to `until`, and say online that it holds what the history holds."""
        with ExitStack() as locks:
            try:
                locks.enter_context(view_lock(plan.data / "online" / plan.name, "streamed", moment=True))
                locks.enter_context(view_lock(plan.folder, "streamed", moment=True))
            except LimnerError as error:
                raise _BusyError(str(error)) from error
            serving.send()
            whole = serving.served().loaded == state_of(history)
            if until > flushed:
                _extend(plan, history, self._state.changes(plan.name, plan.fingerprint), flushed, until)
            self.at("in history")
            serving.written(state_of(history) if whole else None, until)
        self._state.flushed(plan.name, plan.fingerprint, until)


class _BusyError(LimnerError):
    """A run holds the view."""


def _extend(plan: ViewPlan, history: History, changes: Sequence[pa.Table], after: int, until: int) -> None:
    """Put history rows of (after, until] in the place of whatever is there; the caller holds the view's lock.

    Segments that were written one after the other become one.
    """
    manifest = history.manifest()
    last = manifest.segments[-1]
    files: tuple[str, ...] = ()
    name = f"{STREAM}{after}"
    if last.until == after and last.files and all(file.startswith(STREAM) for file in last.files):
        name, after, files = last.files[0].split("/")[0], last.after, last.files
    if changes:
        rows = pa.concat_tables(changes)
        rows = rows.take(pc.sort_indices(rows, [(key, "ascending") for key in (*plan.join_keys, "event_timestamp")]))
        file = f"{name}/{until}.parquet"
        write_part(history.folder / file, rows.combine_chunks())
        files = (*files, file)
    history.commit(Segment(after=after, until=until, files=files, inputs=STREAM), (), manifest.handed)
