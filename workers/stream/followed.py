"""A view that a worker follows: from where it goes on, and how its history is extended."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from limner.language.errors import LimnerError
from limner.workers.history.latest import latest_rows
from limner.workers.history.lock import view_lock
from limner.workers.history.manifest import STREAM, History, Segment
from limner.workers.online.loading import schema_of, state_of
from limner.workers.online.locate import Place
from limner.workers.online.opening import open_writer
from limner.workers.plan import ViewPlan
from limner.workers.shard import write_part
from limner.workers.sources.instants import datetime_of
from limner.workers.stream.intake import AHEAD
from limner.workers.stream.serving import Serving
from limner.workers.stream.state import State


class BusyError(LimnerError):
    """A run holds the view."""


@dataclass
class Followed:
    """The history of a view and what is served of it. All that is done here is done in turn."""

    plan: ViewPlan
    serving: Serving
    history: History
    state: State
    at: Callable[[str], object]

    def take_up(self, place: Place, now: int, *, alone: bool) -> int:
        """Write out what workers left, and say up to when (µs) the view is computed; `alone`: no worker is there.

        Where a run holds the view, what was left stays. LimnerError where there is nothing to go on from.
        """
        plan, state = self.plan, self.state
        self.serving.served()
        if self.history.coverage() is None:
            raise LimnerError(f"view {plan.name!r} has no history: run `limner materialize START END` first")
        progress = state.progress(plan.name, plan.fingerprint)
        try:
            if progress is not None:
                self.flush()
            self._mend(place)
        except BusyError:
            if progress is None:
                raise
            alone = False  # what the run makes of the time until now is as good as what we have
        coverage = self.history.coverage()
        assert coverage is not None
        start = coverage[1] if alone or progress is None else progress[1]
        if start > now + AHEAD:
            raise LimnerError(
                f"view {plan.name!r} is materialized up to {datetime_of(start):%Y-%m-%d %H:%M:%S} UTC, which is in the "
                "future: events change it now"
            )
        if alone or progress is None:
            with state.transaction():
                state.set_progress(plan.name, plan.fingerprint, start, start)
        return start

    def flush(self) -> None:
        """Put what is computed into the history, and say so online. BusyError where a run holds the view."""
        plan = self.plan
        progress = self.state.progress(plan.name, plan.fingerprint)
        assert progress is not None
        flushed, until = progress
        with _locked(plan.data / "online" / plan.name), _locked(plan.folder):
            self.serving.send()
            whole = self.serving.served().loaded == state_of(self.history)
            if until > flushed:
                changes = [table for _, table in self.state.changes(plan.name, plan.fingerprint)]
                _extend(plan, self.history, changes, flushed, until)
            self.at("in history")
            if whole:
                self.serving.mark(state_of(self.history), until)
        self.state.flushed(plan.name, plan.fingerprint, until)

    def _mend(self, place: Place) -> None:
        """Write all online values anew where they may not be what the history holds."""
        plan = self.plan
        with _locked(plan.data / "online" / plan.name), open_writer(place) as writer:
            served, state, coverage = writer.served(plan.name), state_of(self.history), self.history.coverage()
            assert coverage is not None
            if served is not None and served.loaded != state:
                rows = latest_rows(self.history, plan.join_keys, coverage[0])
                writer.replace(schema_of(plan), rows, loaded=state, as_of=coverage[1])


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with ExitStack() as lock:
        try:
            lock.enter_context(view_lock(folder, "streamed", moment=True))
        except LimnerError as error:
            raise BusyError(str(error)) from error
        yield


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
