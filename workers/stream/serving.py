"""Online values of one view that follow its events; all new ones again where somebody has replaced all."""

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.history.latest import EVENT_TIMESTAMP
from limner.workers.online.database import Database, Generation
from limner.workers.online.loading import schema_of
from limner.workers.online.locate import Place
from limner.workers.online.opening import open_database, open_writer
from limner.workers.plan import ViewPlan
from limner.workers.stream.state import State
from limner.workers.stream.turns import Turns
from limner.workers.windows.column import Bools


class MovedError(LimnerError):
    """Another definition of the view is served."""


class Serving:
    """Writes one view: the rows of `state` that the history does not have yet, which are all that may get lost online.

    The caller has his turn: nobody else writes meanwhile, but runs.
    """

    def __init__(self, place: Place, plan: ViewPlan, state: State, turns: Turns) -> None:
        self._plan, self._schema = plan, schema_of(plan)
        self._writer = open_writer(place)
        self._database: Database = open_database(place)
        self._state, self._turns = state, turns

    def close(self) -> None:
        """Close the connections."""
        self._database.close()
        self._writer.__exit__(None, None, None)

    def served(self) -> Generation:
        """What is served. Raises MovedError where that is another definition, or nothing."""
        found = self._writer.served(self._plan.name)
        if found is None or found.schema != self._schema:
            raise MovedError(f"view {self._plan.name!r} is served in another version: start the stream again")
        return found

    def send(self) -> int:
        """Write what is not yet written; all that the history has not, where a run has put new values in place of all.

        Returns the rows written. LimnerError where the store fails: calling it again does no harm.
        """
        served = self.served()
        generation, number = self._turns.sent(self._plan.name)
        fresh = self._state.changes(self._plan.name, self._plan.fingerprint, number if served.id == generation else 0)
        written = 0
        if fresh:
            number = fresh[-1][0]
            rows = newest(pa.concat_tables(table for _, table in fresh), self._plan.join_keys)
            written = self._writer.update(served, rows.to_batches())
        if fresh or served.id != generation:
            self._turns.set_sent(self._plan.name, served.id, number)
        return written

    def mark(self, state: str, until: int) -> None:
        """What is online is what a history holds, in this state of it, up to `until` (µs)."""
        self._writer.update(self.served(), (), loaded=state, as_of=until)

    def knows(self, keys: pa.Table) -> Bools:
        """Which of the entities have values."""
        encoded = self._schema.encode_table(keys)

        def found(snapshot: object) -> list[bool]:
            generation = snapshot.served().get(self._plan.name)  # type: ignore[attr-defined]
            there = {} if generation is None else snapshot.fetch(generation, encoded)  # type: ignore[attr-defined]
            return [key in there for key in encoded]

        return np.array(self._database.read(found), bool)


def newest(rows: pa.Table, keys: tuple[str, ...]) -> pa.Table:
    """Of each entity the row with the latest event timestamp."""
    order = [(key, "ascending") for key in keys] + [(EVENT_TIMESTAMP, "ascending")]
    rows = rows.sort_by(order).combine_chunks()
    last = np.ones(len(rows), bool)
    same = np.ones(max(len(rows) - 1, 0), bool)
    for key in keys:
        column = rows[key].to_numpy()
        same &= column[1:] == column[:-1]
    last[:-1] = ~same
    return rows.filter(pa.array(last))
