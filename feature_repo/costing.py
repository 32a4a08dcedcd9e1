"""What a view of a run cost: its events measured, and afterwards what it left on disk and online."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from feast import RepoConfig
from feast.infra.online_stores.online_store import OnlineStore

from limner.feature_repo.online_store import LimnerOnlineStore, online_place
from limner.workers.context import RunContext
from limner.workers.costs.measure import KEY, Measuring, width_of
from limner.workers.history.manifest import History
from limner.workers.online.locate import Place
from limner.workers.online.opening import open_database
from limner.workers.plan import ViewPlan
from limner.workers.text.encode import OnDevice


class Costing:
    """The cost of one view; `context` is the run's, with a reporter that measures."""

    def __init__(self, context: RunContext, history: History) -> None:
        self._measuring = Measuring(context.reporter)
        self._before = set(_files(history))
        self._history = history
        self.context = replace(context, reporter=self._measuring)

    def summary(
        self, plan: ViewPlan, history_rows: int, online_rows: int, config: RepoConfig, store: OnlineStore
    ) -> dict[str, Any]:
        """The part of the run's summary."""
        cost = self._measuring.done()
        cost.width, cost.entity = width_of(plan.outputs), plan.view.entity
        cost.sources = list(plan.inputs)
        cost.history_rows = history_rows
        cost.history_bytes = sum(path.stat().st_size for path in _files(self._history) if path not in self._before)
        for name, encoding in cost.encoded.items():
            model = plan.encoders[name]
            encode = self.context.encode_with(model)
            encoding.fingerprint = model.fingerprint
            encoding.device = encode.device() if isinstance(encode, OnDevice) else "cpu"
        if online_rows and isinstance(store, LimnerOnlineStore):
            cost.online_rows, cost.online_bytes = _online(online_place(config), plan)
        return {KEY: cost.to_json()}


def _files(history: History) -> Iterator[Path]:
    yield from (part.path for part in history.parts())


def _online(place: Place, plan: ViewPlan) -> tuple[int | None, int | None]:
    """Rows and bytes of the profiles that a plan made; unknown while those of another version are served."""
    database = open_database(place)
    try:
        with database.reading() as snapshot:
            generation = snapshot.served().get(plan.name)
            if generation is None or generation.schema.fingerprint != plan.fingerprint:
                return None, None
            return snapshot.count(generation), snapshot.bytes_of(generation)
    finally:
        database.close()
