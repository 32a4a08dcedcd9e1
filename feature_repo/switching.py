"""Moving views to their new versions: offline and online in one step, and views that share an encoder together."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from feast import FeatureView, RepoConfig
from feast.infra.online_stores.online_store import OnlineStore
from feast.infra.registry.base_registry import BaseRegistry

from limner.feature_repo.applied import applied_plan
from limner.feature_repo.compile import FINGERPRINT_TAG
from limner.feature_repo.online_sink import Progress, Sink
from limner.feature_repo.online_store import online_place
from limner.feature_repo.project import Project
from limner.language.errors import LimnerError
from limner.workers import report
from limner.workers.context import RunContext
from limner.workers.history.lock import view_lock
from limner.workers.history.manifest import History
from limner.workers.history.served import pointers, switch
from limner.workers.history.together import Move, Wait, choose
from limner.workers.history.version import read_version
from limner.workers.online.database import Waiting
from limner.workers.online.loading import state_of
from limner.workers.online.opening import open_writer


@dataclass(frozen=True)
class _Ready:
    """A view whose new version is complete: in its history, and online beside what is served."""

    sink: Sink
    history: History
    online: Waiting | None


class Switching:
    """The views of one run that are to be served in another version than now."""

    def __init__(
        self, project: Project, config: RepoConfig, store: OnlineStore, registry: BaseRegistry, context: RunContext
    ) -> None:
        self._project = project
        self._config = config
        self._store = store
        self._context = context
        self._applied = {
            view.name: view for view in registry.list_feature_views(config.project) if FINGERPRINT_TAG in view.tags
        }
        self._ready: dict[str, _Ready] = {}
        self._locks = ExitStack()
        self._versions: dict[Path, Mapping[str, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._locks.close()

    def needed(self, sink: Sink) -> bool:
        """Whether readers see another version of this view than the plan's, offline or online."""
        pointer = pointers(self._histories).get(sink.plan.name)
        if pointer is None or pointer.fingerprint != sink.plan.fingerprint:
            return True
        return sink.plan.view.online and not sink.serves()

    def add(self, sink: Sink, history: History, locks: ExitStack, progress: Progress) -> int:
        """Take over a view whose history is complete, with the locks held for it, and move what can be moved.

        Returns the rows written online.
        """
        view = sink.plan.name
        self._locks.push(locks)
        waiting = sink.prepare(history, progress) if sink.plan.view.online else None
        self._ready[view] = _Ready(sink, history, waiting)
        written = self._settle(progress)
        return written if waiting is None else waiting.rows

    def finish(self) -> dict[str, Wait]:
        """Move also views that earlier runs left waiting; report and return what waits still."""
        for view in self._left_waiting():
            self._take_up(view)
        self._settle(lambda _rows: None)
        _, waits = choose(self._moves())
        for wait in waits:
            self._context.reporter(report.ViewWaits(wait.view, wait.other, wait.encoder))
        return {wait.view: wait for wait in waits}

    @property
    def _histories(self) -> Path:
        return self._project.settings.data / "history"

    def _settle(self, progress: Progress) -> int:
        """Serve those of the ready views that may move now; returns the rows written to a store that is not ours."""
        going, _ = choose(self._moves())
        moved = [self._ready.pop(view) for view in going]
        if not moved:
            return 0
        to = {each.sink.plan.name: each.sink.plan.fingerprint for each in moved}
        online = [each.online for each in moved if each.online is not None]
        if online:
            with open_writer(online_place(self._config)) as writer:
                writer.switch(online, also=lambda: switch(self._histories, to))
        else:
            switch(self._histories, to)
        written = 0
        for each in moved:
            if each.online is None and each.sink.plan.view.online:
                written += each.sink.write(each.history, iter(()), progress)
            self._context.ledger.serve(each.sink.plan.name, each.sink.plan.fingerprint, self._context.run_id)
        return written

    def _moves(self) -> list[Move]:
        known = pointers(self._histories)
        moves = []
        for view in {*self._applied, *self._ready}:
            pointer, ready = known.get(view), self._ready.get(view)
            serves = {} if pointer is None else self._encoders(self._histories / view / pointer.fingerprint)
            wants = {} if ready is None else {n: m.fingerprint for n, m in ready.sink.plan.encoders.items()}
            moves.append(Move(view, serves, wants, ready is not None))
        return moves

    def _encoders(self, history: Path) -> Mapping[str, str]:
        if history not in self._versions:
            version = read_version(history)
            self._versions[history] = {} if version is None else version.encoders
        return self._versions[history]

    def _left_waiting(self) -> list[FeatureView]:
        """Views outside this run whose applied version is complete and not served."""
        known = pointers(self._histories)
        found = []
        for name, view in self._applied.items():
            wanted, pointer = view.tags[FINGERPRINT_TAG], known.get(name)
            if name not in self._ready and pointer is not None and pointer.fingerprint != wanted:
                new = History(self._histories / name / wanted).coverage()
                old = History(self._histories / name / pointer.fingerprint).coverage()
                if new is not None and (old is None or (new[0] <= old[0] and old[1] <= new[1])):
                    found.append(view)
        return found

    def _take_up(self, view: FeatureView) -> None:
        """A view that cannot be moved now goes on waiting: its own run says why."""
        with ExitStack() as locks:
            try:
                plan = applied_plan(view, self._project)
                locks.enter_context(view_lock(plan.data / "online" / plan.name))
                history = History(plan.folder / plan.fingerprint)
                sink = Sink(self._config, self._store, view, plan, state_of(history))
                self.add(sink, history, locks.pop_all(), lambda _rows: None)
            except LimnerError:
                return
