"""One view that follows its events: what a batch run computes over a day, over the time since the last micro-batch."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.workers.context import RunContext
from limner.workers.derive.rows import Fits
from limner.workers.fitting import fits_by
from limner.workers.intervals import Interval
from limner.workers.plan import ViewPlan
from limner.workers.staged import stage_rows, windows_of
from limner.workers.stream.due import Due
from limner.workers.stream.members import Left, member_rows, member_tables
from limner.workers.stream.rows import RowStore, entities_of, keys_of
from limner.workers.text.terms import TermsModel
from limner.workers.text.vectors import Vectors
from limner.workers.windows.column import Bools
from limner.workers.windows.compute import compute
from limner.workers.windows.derived import breaks
from limner.workers.windows.timeline import Events, Stays, stays

FAR = 7_258_118_400_000_000  # µs: the year 2200; a row that becomes known later is not waited for


@dataclass(frozen=True)
class Step:
    """A micro-batch, computed and not yet kept: the new rows by source, and the history rows that they make.

    `changes` is empty where somebody else has computed it.
    """

    until: int
    rows: Mapping[str, pa.Table]
    changes: pa.Table = field(default_factory=lambda: pa.table({}))


class LiveView:
    """The rows that the windows of one view may hold, and the next instants at which they change.

    Of a view over views they are the history rows of its members: those that others make in a micro-batch, too.

    `cursor` (µs): all changes up to it are computed.
    """

    def __init__(
        self,
        plan: ViewPlan,
        tables: Mapping[str, pa.Table],
        start: int,
        fits: Fits,
        vectors: Vectors,
        known: Callable[[pa.Table], Bools],
    ) -> None:
        """`tables`: by source (or member) the rows in reach of `start`, those that become known later too, in canonical
        order.

        `known`: of entities (a table of join keys), those with a history row.
        """
        self.plan = plan
        self.cursor = start
        self._members = {member.view for member in plan.members}
        # Of whom members know something there are rows, however long nothing has changed.
        self._vectors, self._known = vectors, None if plan.members else known
        self._task = plan.task(start, start, base=False, fits=fits)
        self._stores = {
            name: RowStore(table, plan.join_keys, self._stays(name), newest=bool(plan.members))
            for name, table in tables.items()
        }
        self._due = Due()
        owners = sorted(entities_of((store.base for store in self._stores.values()), plan.join_keys))
        rank = {key: code for code, key in enumerate(owners)}
        instants, codes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for store in self._stores.values():
            mine = np.array([rank[key] for key in keys_of(store.base, plan.join_keys)], np.int64)
            at, rows = store.due(store.base, start)
            instants.append(at)
            codes.append(mine[rows])
        self._due.begin(np.concatenate(instants), np.concatenate(codes), owners)
        later = [*breaks(plan.view.grid, plan.computed)]
        later += [m.fit for m in plan.encoders.values() if isinstance(m, TermsModel) and m.fit is not None]
        self._break = min((each for each in later if each > start), default=FAR)

    def advance(self, new: Mapping[str, pa.Table], until: int) -> Step:
        """What changes in (cursor, until], with new rows by source; nothing is kept yet."""
        if until >= self._break:
            raise LimnerError(
                f"feature view {self.plan.name}: something learned begins to hold: materialize the view, "
                "then start the stream again"
            )
        moved = sorted(self._due.by(until) | entities_of(new.values(), self.plan.join_keys))
        tables = {name: store.take(moved, new.get(name)) for name, store in self._stores.items()}
        task = replace(self._task, start=self.cursor, end=until)
        return Step(until, new, compute(tables, task, self._vectors, self._known).changes)

    def keep(self, step: Step) -> None:
        """A micro-batch has happened."""
        for name, rows in step.rows.items():
            store = self._stores[name]
            owners = keys_of(rows, self.plan.join_keys)
            for at, row in zip(*(each.tolist() for each in store.due(rows, step.until)), strict=True):
                self._due.add(at, owners[row])
            store.add(rows)
            if store.crowded:
                store.sort_in(step.until)
        self._due.pass_by(step.until)
        self.cursor = step.until

    def rows_of(self, changes: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """The rows that history rows of a micro-batch, by view, are to this view: those of its members."""
        return {name: member_rows(self.plan, name, rows) for name, rows in changes.items() if name in self._members}

    @property
    def next_due(self) -> int | None:
        """The next instant (µs) at which something changes without an event."""
        return self._due.next()

    def __len__(self) -> int:
        return sum(map(len, self._stores.values()))

    def _stays(self, source: str) -> Callable[[Events], Stays]:
        windows = windows_of(self.plan, source)
        return lambda rows: stays(self.plan.view.grid, rows, windows)


def boot(
    plan: ViewPlan,
    start: int,
    vectors: Vectors,
    known: Callable[[pa.Table], Bools],
    stage: Path,
    context: RunContext,
    left: Mapping[str, Left | None],
) -> LiveView:
    """A view as of `start` (µs), from its sources' files; texts without a vector are encoded.

    One over views is made of its members' histories, and of what is `left` of each. `context` must have one shard.
    Raises LimnerError as a run does.
    """
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True)
    fits = fits_by(plan, start, plan.folder / plan.fingerprint, stage / "fits", context)
    if plan.members:
        tables = member_tables(plan, start, stage, context, left)
    else:
        staged = stage_rows(plan, Interval(start, FAR, base=False, reasons=()), stage, context, tell=False)
        tables = {name: pq.read_table(each.shards[0]) for name, each in staged.prepared.items()}
    shutil.rmtree(stage)
    return LiveView(plan, tables, start, fits, vectors, known)
