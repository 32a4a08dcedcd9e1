"""After a run: the newest row of each entity into the online store, counted, and read back."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
from feast import FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore

from limner.feature_repo.online_store import LimnerOnlineStore, online_place
from limner.feature_repo.values import rows_of
from limner.language.errors import LimnerError
from limner.workers.differences import Differences
from limner.workers.history.files import replace
from limner.workers.history.latest import latest_rows
from limner.workers.history.manifest import History
from limner.workers.online.checking import Checking, due
from limner.workers.online.checking import checked as mark_checked
from limner.workers.online.database import Waiting
from limner.workers.online.healing import heal
from limner.workers.online.loading import load, schema_of, state_of
from limner.workers.online.opening import open_database, open_writer
from limner.workers.online.schema import ViewSchema
from limner.workers.plan import ViewPlan
from limner.workers.stream.unwritten import unwritten

_PROBES = 16  # entities a batch whose values are read back
Progress = Callable[[int], object]


@dataclass(frozen=True)
class Sink:
    """The online store of one view. `before` is the state of its history before the run."""

    config: RepoConfig
    store: OnlineStore
    view: FeatureView
    plan: ViewPlan
    before: str

    @property
    def notes(self) -> Path:
        """The folder where it is written down what the store holds."""
        return self.plan.data / "online" / self.plan.name

    def check_due(self, when: Checking, now: int, *, replaced: bool) -> bool:
        """Whether a run that begins now (µs UTC) is to look at every row; never in a store that is not ours.

        It must where rows of the history were `replaced`: what is online may be newer than the row that is right now.
        """
        return isinstance(self.store, LimnerOnlineStore) and (replaced or due(self.notes, when, now))

    def write(
        self, history: History, changed: Iterator[pa.RecordBatch], progress: Progress, *, checked: bool = False
    ) -> int:
        """Bring the store to the end of the history; return the rows written. `checked`: `mend` will be called.

        `changed` holds the newest row of each entity that the run changed. It is enough where the store holds just what
        the history held before; else (another fingerprint, a killed run, a lost store) every entity is written.
        """
        if isinstance(self.store, LimnerOnlineStore):
            return self._write_own(history, changed, progress, checked=checked)
        try:
            return self._write_foreign(history, changed, progress)
        except LimnerError:
            raise
        except Exception as error:  # each store has exceptions of its own
            raise LimnerError(
                f"the online store ({self.config.online_store.type}) failed: {error}; see that it runs, "
                "then run the same command again"
            ) from error

    def prepare(self, history: History, progress: Progress) -> Waiting | None:
        """Write every entity beside what is served, in a store of ours; None for another store."""
        if not isinstance(self.store, LimnerOnlineStore):
            return None
        coverage = history.coverage()
        assert coverage is not None
        with open_writer(online_place(self.config)) as writer:
            rows = latest_rows(history, self.plan.join_keys, coverage[0])
            return writer.prepare(self._schema(), rows, loaded=state_of(history), as_of=coverage[1], progress=progress)

    def serves(self) -> bool:
        """Whether what is online now is of this version, as far as a store of ours can tell."""
        if not isinstance(self.store, LimnerOnlineStore):
            return True
        with open_writer(online_place(self.config)) as writer:
            served = writer.served(self.plan.name)
        return served is not None and served.schema.fingerprint == self.plan.fingerprint

    def mend(self, history: History, begun: int) -> Differences:
        """Put right what is online and not what the history says; `begun` (µs) is when the run began."""
        place = online_place(self.config)
        database = open_database(place)
        try:
            with open_writer(place) as writer:
                now = time.time_ns() // 1000
                rows = partial(unwritten, self.plan)
                found = heal(writer, database, self.plan, history, begun=begun, now=now, unwritten=rows)
        finally:
            database.close()
        mark_checked(self.notes, now)
        return found

    def _write_own(
        self, history: History, changed: Iterator[pa.RecordBatch], progress: Progress, *, checked: bool
    ) -> int:
        place = online_place(self.config)
        recorded = None
        if checked:
            database = open_database(place)
            try:
                recorded = database.read(lambda snapshot: snapshot.served().get(self.plan.name))
            finally:
                database.close()
        with open_writer(place) as writer:
            return load(writer, self.plan, history, self.before, changed, progress, recorded=recorded)

    def _write_foreign(self, history: History, changed: Iterator[pa.RecordBatch], progress: Progress) -> int:
        state, mark = state_of(history), self._mark()
        loaded = mark.read_text() if mark.exists() else None
        if loaded == f"{self.plan.fingerprint} {state}":
            return 0
        if loaded == f"{self.plan.fingerprint} {self.before}":
            rows = changed
        else:
            coverage = history.coverage()
            assert coverage is not None
            rows = latest_rows(history, self.plan.join_keys, coverage[0])
            if loaded is None or not loaded.startswith(self.plan.fingerprint):
                self._clear()
        if getattr(self.config.online_store, "skip_dedup", None) is False:
            # Redis: these rows are the newest there are, and its own check would drop one that corrects a value at an
            # equal timestamp.
            self.config.online_store.skip_dedup = True
        # Until it is known how far the write came, nothing is known.
        mark.unlink(missing_ok=True)
        written = 0
        for batch in rows:
            written += self._send(batch, progress)
        replace(mark, f"{self.plan.fingerprint} {state}".encode())
        return written

    def _clear(self) -> None:
        """Values of another definition go first: some stores drop a row whose timestamp is not newer."""
        for delete, keep in (([self.view], []), ([], [self.view])):
            self.store.update(
                config=self.config,
                tables_to_delete=delete,
                tables_to_keep=keep,
                entities_to_delete=[],
                entities_to_keep=[],
                partial=True,
            )

    def _send(self, batch: pa.RecordBatch, progress: Progress) -> int:
        data = rows_of(self._schema(), batch)
        self.store.online_write_batch(self.config, self.view, data, progress)
        probes = data[:: max(1, len(data) // _PROBES)]
        answers: list[Any] = self.store.online_read(self.config, self.view, [row[0] for row in probes])
        if any(values is None for _, values in answers):
            raise LimnerError(
                f"the online store ({type(self.store).__name__}) took rows of {self.view.name!r} and returns none: "
                "check its memory limit and eviction policy, then run the same command again"
            )
        return len(data)

    def _schema(self) -> ViewSchema:
        return schema_of(self.plan)

    def _mark(self) -> Path:
        """Where it is written down what a store that is not ours holds."""
        identity = hashlib.sha256(self.config.online_store.model_dump_json().encode()).hexdigest()[:16]
        return self.notes / f"{self.config.online_store.type}-{identity}".replace("/", "_")
