"""Versions side by side: readers move from one to the next in one step, and two encoders' vectors never meet."""

import threading
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import limner
from limner.language.errors import LimnerError
from limner.workers.report import Event as Report
from limner.workers.report import ShardDone, ViewDone, ViewWaits, reporting_to
from tests.integration.feast_project import DAY, FIRST, apply, events
from tests.integration.versions import axes, make_versions, write_weights

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("views"),
    pytest.mark.usefixtures("marking"),
]
ROWS = events(count=300, users=12, days=20, seed=8)
USERS = list(range(1, 13))
END = FIRST + 15 * DAY


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Two views that share an encoder, materialized with its first weights."""
    made = make_versions(tmp_path / "project", ROWS)
    apply(made).materialize(FIRST, END)
    return made


class Readers:
    """Threads that ask in every way there is, as fast as they can, and note which weights each answer shows."""

    def __init__(self, repo: Path) -> None:
        self.repo = repo
        self.seen: dict[str, list[set[int]]] = {}
        self.errors: list[BaseException] = []
        self._stop = threading.Event()
        asks = (self.training_set, self.feast_online, self.profile, self.table, self.similar)
        self._threads = [threading.Thread(target=self._ask, args=(ask,)) for ask in asks]

    def __enter__(self) -> "Readers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(0.5)
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, ask: Any) -> None:
        from feast import FeatureStore

        try:
            store, direct = FeatureStore(repo_path=str(self.repo)), limner.Store(self.repo)
            while not self._stop.is_set():
                self.seen.setdefault(ask.__name__, []).append(axes(ask(store, direct)))
            direct.close()
        except BaseException as error:  # noqa: BLE001 (every one is a finding)
            self.errors.append(error)

    @staticmethod
    def training_set(store: Any, _: limner.Store) -> list[Any]:
        frame = pd.DataFrame({"user_id": USERS * 2, "event_timestamp": [END] * 12 + [FIRST + 9 * DAY] * 12})
        got = store.get_historical_features(frame, store.get_feature_service("everything")).to_df()
        return [*got["likes"], *got["looks"]]

    @staticmethod
    def feast_online(store: Any, _: limner.Store) -> list[Any]:
        rows = [{"user_id": user} for user in USERS]
        got = store.get_online_features(store.get_feature_service("everything"), rows).to_dict()
        return [*got["likes"], *got["looks"]]

    @staticmethod
    def profile(_: Any, direct: limner.Store) -> list[Any]:
        found = direct.profile("everything", 1)
        assert found is not None
        return [found["likes"], found["looks"]]

    @staticmethod
    def table(_: Any, direct: limner.Store) -> list[Any]:
        found = direct.read("everything", USERS)
        return [*found.column("likes").to_pylist(), *found.column("looks").to_pylist()]

    @staticmethod
    def similar(_: Any, direct: limner.Store) -> list[Any]:
        near = direct.similar("taste", "likes", 1, k=11)
        assert all(each.similarity > 0.99 for each in near), near  # vectors of two axes have cosine 0
        return [[0.0] * 7 + [1.0]]


def slowly(event: Report) -> None:
    """Leave readers time to look between the steps of a run."""
    if isinstance(event, ShardDone | ViewDone):
        time.sleep(0.1)


def test_two_encoders_vectors_never_meet_in_one_answer(repo: Path) -> None:
    """While both views move to new weights, each answer, of all views and many entities, is of one encoder."""
    write_weights(repo.parent, 2)
    with Readers(repo) as readers, reporting_to(slowly):
        apply(repo).materialize_incremental(END + DAY)
    assert readers.errors == []
    for ask in ("training_set", "feast_online", "profile", "table"):
        shown = readers.seen[ask]
        assert {len(axes) for axes in shown} == {1}, ask
        assert shown[0] == {1}
        assert shown[-1] == {2}
        assert shown == sorted(shown, key=min), f"{ask}: nobody goes back"


def test_offline_and_online_move_together(repo: Path) -> None:
    """Whoever asks both, one after the other, during a switch: the later answer is never older than the earlier."""
    write_weights(repo.parent, 2)
    pairs: list[tuple[int, int]] = []
    stop = threading.Event()

    def read() -> None:
        from feast import FeatureStore

        store, direct = FeatureStore(repo_path=str(repo)), limner.Store(repo)
        while not stop.is_set():
            (online,) = axes(Readers.table(store, direct))
            (offline,) = axes(Readers.training_set(store, direct))
            pairs.append((online, offline))
        direct.close()

    thread = threading.Thread(target=read)
    thread.start()
    with reporting_to(slowly):
        apply(repo).materialize_incremental(END + DAY)
    time.sleep(1)
    stop.set()
    thread.join()
    assert {(1, 1), (2, 2)} <= set(pairs)
    assert (2, 1) not in pairs


def test_a_view_waits_for_the_others_of_its_encoder(repo: Path) -> None:
    """One cannot be computed: both go on serving the earlier weights; once it can, both move."""
    told: list[Report] = []
    write_weights(repo.parent, 2)
    store = apply(repo)
    (repo.parent / "visits").unlink()
    with reporting_to(told.append), pytest.raises(LimnerError, match="looks"):
        store.materialize_incremental(END + DAY)
    assert [each for each in told if isinstance(each, ViewWaits)] == [ViewWaits("taste", "looks", "bert")]
    direct = limner.Store(repo)
    assert axes(Readers.table(store, direct)) == axes(Readers.training_set(store, direct)) == {1}
    (repo.parent / "visits").symlink_to(repo.parent / "events")
    store.materialize_incremental(END + 2 * DAY, feature_views=["looks"])  # the other one is taken along
    assert axes(Readers.table(store, direct)) == axes(Readers.training_set(store, direct)) == {2}
    direct.close()
