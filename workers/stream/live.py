"""One view that follows its events: what a batch run computes over a day, over the time since the last micro-batch."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.workers.carry.begin import no_sums
from limner.workers.context import RunContext
from limner.workers.derive.rows import Fits
from limner.workers.fitting import fits_by
from limner.workers.intervals import Interval
from limner.workers.plan import ViewPlan
from limner.workers.staged import stage_rows
from limner.workers.stream.members import Left, member_rows, member_tables
from limner.workers.stream.step import Step
from limner.workers.stream.summed import Summed
from limner.workers.stream.whole import Whole
from limner.workers.text.terms import TermsModel
from limner.workers.text.vectors import Vectors
from limner.workers.windows.column import Bools
from limner.workers.windows.derived import breaks

FAR = 7_258_118_400_000_000  # µs: the year 2200; a row that becomes known later is not waited for


class LiveView:
    """What the windows of one view hold, and the next instants at which that changes: rows, or where they do, sums.

    Of a view over views the rows are the history rows of its members: those that others make in a micro-batch, too.

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
        task = plan.task(start, start, base=False, fits=fits)
        given = plan, tables, task, vectors, known
        self.held = Whole(*given) if no_sums(plan) else Summed(*given)
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
        return self.held.advance(new, self.cursor, until)

    def keep(self, step: Step) -> None:
        """A micro-batch has happened."""
        self.held.keep(step)
        self.cursor = step.until

    def rows_of(self, changes: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
        """The rows that history rows of a micro-batch, by view, are to this view: those of its members."""
        return {name: member_rows(self.plan, name, rows) for name, rows in changes.items() if name in self._members}

    @property
    def next_due(self) -> int | None:
        """The next instant (µs) at which something changes without an event."""
        return self.held.next_due

    def __len__(self) -> int:
        return len(self.held)


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
