"""A worker: micro-batches of events in, profiles and histories out.

A micro-batch has one instant. Its events become known then; what is computed, and all that follows from it, is one
transaction of the worker's state. What comes after that (online values, the history, the source's files) can be done
again from the state, so a worker that dies anywhere loses nothing and does nothing twice.

Workers of one project read, clean and encode side by side. What changes then is computed by one after the other, in the
order of the instants, each with all that the earlier ones have taken: together they do what one would do.
"""

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.context import RunContext
from limner.workers.history.manifest import STREAM, History
from limner.workers.history.served import served
from limner.workers.online.locate import Place
from limner.workers.stream.choose import Streamed
from limner.workers.stream.events import Raw
from limner.workers.stream.export import export_of, exporting, exporting_now
from limner.workers.stream.followed import BusyError, Followed
from limner.workers.stream.foreign import Files, Runs, files_of, runs_of
from limner.workers.stream.inputs import Member, Told
from limner.workers.stream.live import LiveView, boot
from limner.workers.stream.members import left_of
from limner.workers.stream.preparing import Begun, Preparing
from limner.workers.stream.serving import MovedError, Serving
from limner.workers.stream.state import FILE, State
from limner.workers.stream.step import Step
from limner.workers.stream.turns import Turns
from limner.workers.stream.vectors import LiveVectors, Made


def now() -> int:
    """µs since 1970 UTC."""
    return time.time_ns() // 1000


@dataclass
class Worker:
    """One of the workers of a project.

    `clock` gives µs UTC; `at` is told where it is, and may raise: tests stop it there. `context` must have one shard,
    and run its tasks in this process.
    """

    root: Path
    data: Path
    place: Place
    streamed: Streamed
    context: RunContext
    clock: Callable[[], int] = now
    at: Callable[[str], object] = lambda _: None
    unsent: bool = False  # whether `send` has something to do after the last micro-batch
    _views: list[LiveView] = field(default_factory=list)
    _followed: dict[str, Followed] = field(default_factory=dict)
    _foreign: tuple[Runs, Files] = (frozenset(), ())
    _opened: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> "Worker":
        """Take up what earlier workers left, then read the views' rows. LimnerError where others follow other views."""
        try:
            self._open()
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Give everything back; `flush` before it writes out what can be written."""
        self._opened.close()

    def step(self, raws: Sequence[Raw], positions: Mapping[str, str] | None = None, instant: int | None = None) -> Told:
        """Take some events, and what is due by now; `positions`: how far inputs are read with them, by name.

        When it returns, the events have happened: the input may forget them; they are online, or `send` says why not.
        Raises LimnerError before that, and then nothing has happened. `instant`: what `draw` gave for them.
        """
        while True:
            told = self.finish(self.begin(raws, positions or {}, instant))
            if told is not None:
                return told
            instant = None

    def draw(self) -> int:
        """The instant (µs) of the next micro-batch. All others wait for it, until it is over."""
        return self.turns.draw(self.clock())

    def begin(self, raws: Sequence[Raw], positions: Mapping[str, str], instant: int | None = None) -> Begun:
        """What can be done while others are at work: read, clean, encode."""
        begun = Begun(self.draw() if instant is None else instant, self._state.instant(), raws, positions)
        try:
            self._preparing.prepare(begun)
        except BaseException:
            self._vectors.forget(begun.made)
            self.turns.give_back(begun.until)
            raise
        return begun

    def finish(self, begun: Begun) -> Told | None:
        """Let it happen, after all that was drawn earlier. None where it has to begin again: others took the same."""
        try:
            with self.turns.turn(begun.until):
                self.catch_up(begun.made)
                others = self._state.instant() != begun.seen
                if others and self._preparing.overtaken(begun):
                    self._vectors.forget(begun.made)
                    return None
                if others and not begun.raws and (self.next_due or begun.until + 1) > begun.until:
                    return begun.told
                self._send()  # what is computed asks what is online
                return self._happen(begun)
        except BaseException:
            self._vectors.forget(begun.made)
            raise

    def _happen(self, begun: Begun) -> Told:
        steps: list[tuple[LiveView, Step]] = []
        changes: dict[str, pa.Table] = {}
        for view in self._views:  # members first
            new = begun.rows[view.plan.name] | view.rows_of(changes)
            if new or (view.next_due or begun.until + 1) <= begun.until:
                step = view.advance(new, begun.until)
                steps.append((view, step))
                if len(step.changes):
                    changes[view.plan.name] = step.changes
        self.at("computed")
        with self._state.transaction():
            self._commit(begun, steps)
            self.at("in transaction")
        self.at("committed")
        for view, step in steps:
            view.keep(step)
        for view in self._views:
            view.cursor = begun.until
        self.turns.has_all(begun.until)
        told = begun.told
        told.taken = sum(len(each.lines) for each in begun.taken.values())
        told.repeated, told.dead, told.letters = len(told.again), len(begun.dead), begun.dead
        told.changed = sum(len(step.changes) for _, step in steps)
        try:
            self._send()
            self.unsent = False
        except LimnerError:  # `send` says so
            self.unsent = True
        self.at("sent")
        return told

    def _commit(self, begun: Begun, steps: Sequence[tuple[LiveView, Step]]) -> None:
        state, until = self._state, begun.until
        for source, each in begun.taken.items():
            state.add_events(source, each.lines.values())
            state.remember(source, each.at.items())
            state.add_keys(source, self._preparing.spelled(source).items())
        for source, line in begun.dead:
            state.add_dead(source, [line])
        for encoder, vectors in begun.made.vectors.items():
            state.add_vectors(encoder, vectors)
        for view, step in steps:
            if len(step.changes):
                state.add_change(view.plan.name, view.plan.fingerprint, until, step.changes)
        for view in self._views:
            state.set_cursor(view.plan.name, view.plan.fingerprint, until)
        for name, position in begun.positions.items():
            state.set_position(name, position)
        state.set_instant(until)
        others = self.turns.others()
        if others:
            for encoder, vectors in begun.made.vectors.items():
                state.add_rows(until, "", encoder, _table(vectors))
            for view, step in steps:
                for source, rows in step.rows.items():
                    state.add_rows(until, view.plan.name, source, rows)
        state.drop_rows(min(others.values(), default=until))

    def catch_up(self, made: Made | None = None) -> None:
        """Take up what other workers have taken; `made` are vectors of a micro-batch that has not happened."""
        with self._state.reading():
            found = self._state.rows(min(view.cursor for view in self._views))
            cursors = [self._state.progress(view.plan.name, view.plan.fingerprint) for view in self._views]
        by: dict[tuple[str, int], dict[str, pa.Table]] = {}
        for until, name, source, rows in found:
            if name:
                by.setdefault((name, until), {})[source] = rows
            else:
                vectors = zip(rows["digest"].to_pylist(), rows["vector"].to_pylist(), strict=True)
                self._vectors.take_up(source, vectors, made)
        for view, progress in zip(self._views, cursors, strict=True):
            for (name, until), rows in by.items():
                if name == view.plan.name and until > view.cursor:
                    view.keep(Step(until, rows))
            if progress is not None:
                view.cursor = max(view.cursor, progress[1])
        self.turns.has_all(min(view.cursor for view in self._views))

    def look(self) -> None:
        """MovedError where a run has read files that this worker has not: it has to begin with them, too.

        Until a run has, they are in no history, and nobody's.
        """
        runs, files = self._foreign
        if (found := runs_of(each.history for each in self._followed.values())) == runs:
            return
        if files_of(self.streamed, self.root, f"{STREAM}{self._state.name}-") != files:
            raise MovedError("a run has read files that were not there when this worker began: begin with them again")
        self._foreign = found, files

    def send(self) -> int:
        """Write online what is not there yet; returns the rows. LimnerError where a store fails: call it again."""
        with self.turns.alone():
            written = self._send()
        self.unsent = False
        for view, fingerprint in self.streamed.waiting.items():
            if served(self.data / "history" / view) != fingerprint:
                raise MovedError(f"view {view!r} can follow events now: start the stream again")
        self.at("sent")
        return written

    def _send(self) -> int:
        return sum(each.serving.send() for each in self._followed.values())

    def flush(self) -> bool:
        """Write out what only workers have: vectors, events, dead letters, history rows.

        False where a run holds a view, or a worker reads the files to start: what is left stays for the next time.
        """
        with self.turns.alone():
            done = self._export()
            self.at("exported")
            for name, source in self.streamed.sources.items():
                assert source.stream is not None
                self._state.forget(name, self._state.instant() - 2 * source.stream.lateness.micros)
            written: set[str] = set()
            for name, each in self._followed.items():
                if written.issuperset(each.plan.view.views):  # a history is never ahead of those of its members
                    with suppress(BusyError):
                        each.flush()
                        written.add(name)
            done &= len(written) == len(self._followed)
        self._vectors.written()
        return done

    def _export(self) -> bool:
        with exporting_now(self.data) as can:
            if can:
                export_of(self._state, self.data)
            return can

    @property
    def member(self) -> Member:
        """This one among the project's workers, for inputs that they share."""
        return Member(self._state.name, self.turns.id, self.turns.alive)

    def position(self, name: str) -> str | None:
        """How far an input was read."""
        return self._state.position(name)

    @property
    def next_due(self) -> int | None:
        """The next instant (µs) at which a profile changes without an event."""
        return min((due for each in self._views if (due := each.next_due) is not None), default=None)

    def _open(self) -> None:
        follows = [(name, plan.fingerprint) for name, plan in sorted(self.streamed.plans.items())]
        streams = [(name, str(source.stream)) for name, source in sorted(self.streamed.sources.items())]
        folder = self.data / FILE.parent
        self.turns = Turns(folder, hashlib.sha256(repr((follows, streams)).encode()).hexdigest())
        self._opened.callback(self.turns.close)
        self._state = State(self.data)
        self._opened.callback(self._state.close)
        for left in folder.glob("work-*"):
            if not self.turns.alive(int(left.name.removeprefix("work-"))):
                shutil.rmtree(left, ignore_errors=True)
        self._scratch = folder / f"work-{self.turns.id}"
        self._scratch.mkdir()
        self._opened.callback(shutil.rmtree, self._scratch, ignore_errors=True)
        self._vectors = LiveVectors(self.data / "embeddings", self.context.encode_with)
        limit = self.context.memory_limit
        self._preparing = Preparing(self.streamed, self.root, self._state, self._vectors, self._scratch, limit)
        self._opened.callback(self._preparing.close)
        with exporting(self.data) as files:
            with self.turns.alone():
                starts = self._take_up()
                plans = self.streamed.plans
                lefts = {name: left_of(self._state, name, plan.fingerprint) for name, plan in plans.items()}
                export_of(self._state, self.data)
                files.hold()
            runs = runs_of(each.history for each in self._followed.values())
            self._foreign = runs, files_of(self.streamed, self.root, f"{STREAM}{self._state.name}-")
            for name, start in starts.items():
                plan, known = self.streamed.plans[name], self._followed[name].serving.knows
                vectors = self._vectors.of(plan.encoders)
                self._views.append(boot(plan, start, vectors, known, self._scratch / name, self.context, lefts))

    def _take_up(self) -> dict[str, int]:
        """Up to when (µs) each view is computed; nothing happens meanwhile."""
        state, alone = self._state, not self.turns.others()
        plans = {name: plan.fingerprint for name, plan in self.streamed.plans.items()}
        state.only_views((plans | dict(self.streamed.waiting)).items())
        starts: dict[str, int] = {}
        for name, plan in self.streamed.plans.items():
            serving = Serving(self.place, plan, state, self.turns)
            self._opened.callback(serving.close)
            history = History(plan.folder / plan.fingerprint)
            self._followed[name] = Followed(plan, serving, history, state, self.at)
            starts[name] = self._followed[name].take_up(self.place, self.clock(), alone=alone)
        self._send()
        instant = max(self.clock(), state.instant() + 1)
        self.turns.later_than(max(state.instant(), *starts.values()))
        self.turns.has_all(min(starts.values()))
        self._preparing.begin(instant)
        return starts


def _table(vectors: Sequence[tuple[bytes, bytes]]) -> pa.Table:
    columns = [pa.array([each[place] for each in vectors], pa.binary()) for place in (0, 1)]
    return pa.table(columns, ["digest", "vector"])
