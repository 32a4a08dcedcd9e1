"""All rows that the windows of a view may hold, and the next instants at which these change."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from limner.workers.plan import ViewPlan
from limner.workers.stream.due import Due
from limner.workers.stream.rows import Key, RowStore, entities_of, keys_of, stays_of
from limner.workers.stream.step import Step
from limner.workers.text.vectors import Vectors
from limner.workers.windows.column import Bools
from limner.workers.windows.compute import Task, compute


class Whole:
    """What changes is computed from all rows of the entities that change: of whatever kind the features are."""

    def __init__(
        self,
        plan: ViewPlan,
        tables: Mapping[str, pa.Table],
        task: Task,
        vectors: Vectors,
        known: Callable[[pa.Table], Bools],
    ) -> None:
        """As `LiveView`."""
        # Of whom members know something there are rows, however long nothing has changed.
        self._vectors, self._known = vectors, None if plan.members else known
        self._keys, self._task = plan.join_keys, task
        self.stores = {
            name: RowStore(table, plan.join_keys, stays_of(plan, name), newest=bool(plan.members))
            for name, table in tables.items()
        }
        self._due: Due[Key] = Due()
        owners = sorted(entities_of((store.base for store in self.stores.values()), plan.join_keys))
        rank = {key: code for code, key in enumerate(owners)}
        instants, codes = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        for store in self.stores.values():
            mine = np.array([rank[key] for key in keys_of(store.base, plan.join_keys)], np.int64)
            at, rows = store.due(store.base, task.start)
            instants.append(at)
            codes.append(mine[rows])
        self._due.begin(np.concatenate(instants), np.concatenate(codes), owners)

    def advance(self, new: Mapping[str, pa.Table], cursor: int, until: int) -> Step:
        """What changes in (cursor, until], with new rows by source; nothing is kept yet."""
        moved = sorted(self._due.by(until) | entities_of(new.values(), self._keys))
        tables = {name: store.take(moved, new.get(name)) for name, store in self.stores.items()}
        task = replace(self._task, start=cursor, end=until)
        return Step(until, new, compute(tables, task, self._vectors, self._known).changes)

    def keep(self, step: Step) -> None:
        """A micro-batch has happened."""
        for name, rows in step.rows.items():
            store = self.stores[name]
            owners = keys_of(rows, self._keys)
            for at, row in zip(*(each.tolist() for each in store.due(rows, step.until)), strict=True):
                self._due.add(at, owners[row])
            store.add(rows)
            if store.crowded:
                store.sort_in(step.until)
        self._due.pass_by(step.until)

    @property
    def next_due(self) -> int | None:
        """The next instant (µs) at which something changes without an event."""
        return self._due.next()

    def __len__(self) -> int:
        return sum(map(len, self.stores.values()))
