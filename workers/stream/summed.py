"""A view whose values are all sums: what its windows hold, and the rows that come into them and go."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.workers.arrow_types import ARROW
from limner.workers.plan import ViewPlan
from limner.workers.stream.due import Due
from limner.workers.stream.held import Held
from limner.workers.stream.passing import Passing
from limner.workers.stream.rows import in_order, keys_of, stays_of
from limner.workers.stream.serving import MovedError
from limner.workers.stream.step import Step
from limner.workers.text.vectors import Vectors
from limner.workers.windows.carried import State, UnlikeStateError
from limner.workers.windows.column import Bools
from limner.workers.windows.compute import EVENT_TIMESTAMP, Task, compute


class Summed:
    """What changes is computed from what windows held, and the rows that have come or gone since: as runs go on.

    An entity costs as much as rows of its come and go, however many there are. The sums are as of `_at` (µs): that is
    the end of the last micro-batch that was computed here. What others have computed since is made up for by the next
    one: their rows, and those that moved meanwhile, wait for it.
    """

    def __init__(
        self,
        plan: ViewPlan,
        tables: Mapping[str, pa.Table],
        task: Task,
        vectors: Vectors,
        known: Callable[[pa.Table], Bools],
    ) -> None:
        """As `LiveView`."""
        self._plan, self._vectors, self._known = plan, vectors, known
        self._task, self._at = replace(task, keep=True), task.start
        schema = next(iter(tables.values())).schema
        self.sums = Held(pa.schema([schema.field(key) for key in plan.join_keys]))
        self.stores = {name: Passing(table.schema, stays_of(plan, name)) for name, table in tables.items()}
        self._due: dict[str, Due[int]] = {name: Due() for name in tables}
        self._moved: dict[str, set[int]] = {name: set() for name in tables}
        if (state := compute(tables, self._task, vectors).state) is not None:
            self.sums.put(state)
        for name, table in tables.items():
            instants, numbers = self.stores[name].add(table, task.start)
            self.stores[name].leave_out(task.start)
            self._due[name].begin(instants, numbers, range(len(table)))

    def advance(self, new: Mapping[str, pa.Table], cursor: int, until: int) -> Step:
        """What changes in (cursor, until], with new rows by source; nothing is kept yet.

        MovedError where sums and rows are not of each other: to begin again with all rows loses nothing.
        """
        tables, owners = {}, {}
        for name, store in self.stores.items():
            moved = np.array(sorted(self._moved[name] | self._due[name].by(until)), np.int64)
            rows = store.take(moved)
            tables[name] = pa.concat_tables([rows, new[name]]) if name in new else rows
            owners[name] = keys_of(tables[name], self._plan.join_keys)
        keys = sorted({key for some in owners.values() for key in some})
        rank = {key: number for number, key in enumerate(keys)}
        for name, some in owners.items():
            tables[name] = in_order(tables[name].combine_chunks(), np.array([rank[key] for key in some], np.int64))
        task = replace(self._task, start=self._at, end=until)
        try:
            # An entity that is not among the sums has empty windows, or is new.
            history = compute(tables, task, self._vectors, self._known, self.sums.of(keys))
        except UnlikeStateError as error:
            raise MovedError(f"feature view {self._plan.name}: {error}: begin with all rows again") from error
        changes = history.changes
        if cursor > self._at:
            begin = pa.scalar(cursor).cast(ARROW["timestamp"])
            changes = changes.filter(pc.greater(changes[EVENT_TIMESTAMP], begin))
        return Step(until, new, changes, history.state)

    def keep(self, step: Step) -> None:
        """A micro-batch has happened."""
        after = self._at if step.sums is None else step.until
        for name, rows in step.rows.items():
            for at, number in zip(*(each.tolist() for each in self.stores[name].add(rows, after)), strict=True):
                self._due[name].add(at, number)
        for name, due in self._due.items():
            self._moved[name] |= due.by(step.until)
            due.pass_by(step.until)
        if step.sums is None and any(store.crowded for store in self.stores.values()):
            step = self.advance({}, step.until, step.until)
        if step.sums is not None:
            self._at_last(step.sums, step.until)

    def _at_last(self, state: State, until: int) -> None:
        """The sums are those of an instant (µs)."""
        self.sums.put(state)
        self._at = until
        for name, store in self.stores.items():
            self._moved[name].clear()
            if store.crowded:
                store.leave_out(until)
        if self.sums.crowded:
            self.sums.leave_out(self._with_rows)

    def _with_rows(self, keys: pa.Table) -> Bools:
        """[keys] entities of whom rows are there."""
        found = np.zeros(len(keys), bool)
        for store in self.stores.values():
            for rows in store:
                place = State(keys, {}).find(rows.select(keys.column_names))
                found[place[place >= 0]] = True
        return found

    @property
    def next_due(self) -> int | None:
        """The next instant (µs) at which something changes without an event."""
        return min((due for each in self._due.values() if (due := each.next()) is not None), default=None)

    def __len__(self) -> int:
        return sum(map(len, self.stores.values()))
