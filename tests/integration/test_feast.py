"""`feast apply` and `feast materialize`, for real: Feast, Ray, the history and the online store together."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from limner.language.errors import LimnerError
from limner.workers.cluster import Cluster
from limner.workers.settings import EngineSettings
from tests.integration.feast_project import (
    DAY,
    FEATURES,
    FIRST,
    SPECS,
    Event,
    apply,
    events,
    expected,
    history_is_right,
    in_seconds,
    make_project,
    online,
    write_events,
)

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("feast")]
FEAST = [sys.executable, "-m", "feast.cli.cli"]
ROWS = events()


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """One Ray for all tests here; the engine uses the one the process has."""
    with Cluster(EngineSettings(cpus=2)) as cluster:
        list(cluster.map(str, range(2)))
        yield


@pytest.fixture
def repo(tmp_path: Path, ray: None) -> Path:
    """A project in a folder whose name needs care in SQL, in globs and in URIs."""
    return make_project(tmp_path / "it's a [shop] ?", ROWS)


def everyone_is_right(store: Any, at: datetime, rows: list[Event] = ROWS) -> None:
    """Online, direct and historical answers equal brute force at an instant, for known and unknown users."""
    import limner

    users = list(range(1, 43))
    wanted = [expected(rows, user, at) for user in users]
    assert online(store, users) == [in_seconds(row) for row in wanted]
    direct = limner.Store(store.repo_path)
    for user, row in zip(users, wanted, strict=True):
        found = direct.profile("everything", user)
        assert (None if found is None else {name: found[name] for name in FEATURES}) == row
    direct.close()
    history_is_right(store, [(user, at) for user in users], rows)


def test_one_run_then_another(repo: Path) -> None:
    """After each run, online equals history equals brute force; users that fell silent decay to nothing."""
    store = apply(repo)
    assert online(store, [1]) == [None]
    store.materialize(FIRST, FIRST + 20 * DAY)
    everyone_is_right(store, FIRST + 20 * DAY)
    store.materialize_incremental(FIRST + 45 * DAY + timedelta(hours=5))
    everyone_is_right(store, FIRST + 45 * DAY + timedelta(hours=5))
    history_is_right(store, [(user, FIRST + n * DAY / 2) for user in (1, 7, 33, 40) for n in range(90)], ROWS)


def test_the_same_run_again_changes_nothing(repo: Path) -> None:
    """Files and online values are left alone by a run that has nothing to do."""
    store = apply(repo)
    store.materialize(FIRST, FIRST + 9 * DAY)
    before = {p: p.stat().st_mtime_ns for p in (repo.parent / "data" / "history").rglob("*.parquet")}
    store.materialize(FIRST, FIRST + 9 * DAY)
    assert {p: p.stat().st_mtime_ns for p in (repo.parent / "data" / "history").rglob("*.parquet")} == before
    assert len(before) > 0
    everyone_is_right(store, FIRST + 9 * DAY)


def test_a_backfill_never_takes_online_values_back(repo: Path) -> None:
    """Computing an earlier interval later extends the history and leaves newer profiles as they are."""
    store = apply(repo)
    store.materialize(FIRST + 30 * DAY, FIRST + 40 * DAY)
    store.materialize(FIRST, FIRST + 10 * DAY)
    everyone_is_right(store, FIRST + 40 * DAY)
    history_is_right(store, [(user, FIRST + n * DAY) for user in (2, 35) for n in range(40)], ROWS)


def test_late_rows_correct_what_is_served(repo: Path) -> None:
    """A file that arrives late changes the interval when it is materialized again, also at equal timestamps."""
    store = apply(repo)
    store.materialize(FIRST, FIRST + 20 * DAY)
    late = [Event(99, FIRST + 5 * DAY, 7.25, "book"), Event(1, FIRST + 19.5 * DAY, 1000.0, "zebra")]
    write_events(repo.parent, "b", late)
    store.materialize(FIRST, FIRST + 20 * DAY)
    rows = sorted([*ROWS, *late], key=lambda event: event.at)
    everyone_is_right(store, FIRST + 20 * DAY, rows)
    history_is_right(store, [(99, FIRST + n * DAY) for n in range(20)], rows)


def test_a_new_definition_is_served_when_it_is_complete(repo: Path) -> None:
    """Between apply and run the view serves its earlier definition; then the new one, over all the time of the old."""
    store = apply(repo)
    store.materialize(FIRST, FIRST + 20 * DAY)
    specs = repo.parent / "specs" / "shop.yaml"
    specs.write_text(SPECS.replace("over: [7d]", "over: [7d, 14d]").replace("path: events", "path: events/../events"))
    store = apply(repo)
    everyone_is_right_but_for(store, "orders_14d")
    frame = pd.DataFrame({"user_id": [1], "event_timestamp": [FIRST + 20 * DAY]})
    with pytest.raises(LimnerError, match="'orders_14d' of view 'activity' is declared but not yet computed"):
        store.get_historical_features(frame, ["activity:orders_14d"]).to_df()
    store.materialize_incremental(FIRST + 21 * DAY)
    everyone_is_right(store, FIRST + 21 * DAY)
    history_is_right(store, [(user, FIRST + n * DAY) for user in (3, 36) for n in range(21)], ROWS)
    answer = store.get_online_features(["activity:orders_14d"], [{"user_id": 1}]).to_dict()
    assert answer["orders_14d"] == [sum(r.user == 1 and FIRST + 7 * DAY <= r.at < FIRST + 21 * DAY for r in ROWS)]


def everyone_is_right_but_for(store: Any, missing: str) -> None:
    """The old features are served, the new one is not found."""
    users = [1, 2, 3]
    wanted = [in_seconds(expected(ROWS, user, FIRST + 20 * DAY)) for user in users]
    assert online(store, users) == wanted
    answer = store.get_online_features([f"activity:{missing}"], [{"user_id": 1}])
    assert answer.to_dict()[missing] == [None]


def test_a_failed_run_changes_nothing_and_says_why(repo: Path) -> None:
    """A source that is gone: one message; the watermark, the state and all values are as before; the next run works."""
    store = apply(repo)
    store.materialize(FIRST, FIRST + 10 * DAY)
    aside = repo.parent / "aside"
    (repo.parent / "events").rename(aside)
    with pytest.raises(LimnerError, match=r"activity: .*events"):
        store.materialize_incremental(FIRST + 20 * DAY)
    assert store.get_feature_view("activity").most_recent_end_time == FIRST + 10 * DAY
    everyone_is_right(store, FIRST + 10 * DAY)
    aside.rename(repo.parent / "events")
    store.materialize_incremental(FIRST + 20 * DAY)
    everyone_is_right(store, FIRST + 20 * DAY)


def test_an_online_store_that_refuses_writes(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run fails with advice, the watermark stays, and the next run writes what is missing."""
    store = apply(repo)
    store.materialize(FIRST, FIRST + 10 * DAY)
    monkeypatch.setattr("limner.workers.online.sqlite.BUSY_MS", 50)
    blocker = sqlite3.connect(repo.parent / "data" / "online.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(LimnerError, match="another process has been writing"):
        store.materialize_incremental(FIRST + 20 * DAY)
    blocker.execute("ROLLBACK")
    assert store.get_feature_view("activity").most_recent_end_time == FIRST + 10 * DAY
    assert online(store, [1]) == [in_seconds(expected(ROWS, 1, FIRST + 10 * DAY))]
    store.materialize_incremental(FIRST + 20 * DAY)
    everyone_is_right(store, FIRST + 20 * DAY)


def test_a_lost_online_store_is_filled_again(repo: Path) -> None:
    """The store knows what it holds: if it is lost, the next run writes every profile, not only those that change."""
    store = apply(repo)
    store.materialize(FIRST, FIRST + 10 * DAY)
    for path in (repo.parent / "data").glob("online.db*"):
        path.unlink()
    store.materialize(FIRST, FIRST + 10 * DAY)
    everyone_is_right(type(store)(repo_path=str(repo)), FIRST + 10 * DAY)


def test_views_stay_readable_through_killed_and_failing_runs(repo: Path) -> None:
    """MATERIALIZING as a kill leaves it, then a failure; GENERATED as older versions leave it: reads go on."""
    from feast.feature_view import FeatureViewState

    store = apply(repo)
    store.materialize(FIRST, FIRST + 10 * DAY)
    store.set_feature_view_state("activity", FeatureViewState.MATERIALIZING)  # as SIGKILL leaves it
    assert online(store, [1]) == [in_seconds(expected(ROWS, 1, FIRST + 10 * DAY))]
    aside = repo.parent / "aside"
    (repo.parent / "events").rename(aside)
    with pytest.raises(LimnerError):
        store.materialize_incremental(FIRST + 20 * DAY)
    assert online(store, [1]) == [in_seconds(expected(ROWS, 1, FIRST + 10 * DAY))]
    aside.rename(repo.parent / "events")
    store.set_feature_view_state("activity", FeatureViewState.MATERIALIZING)
    store.set_feature_view_state("activity", FeatureViewState.GENERATED)
    store.materialize_incremental(FIRST + 20 * DAY)
    everyone_is_right(store, FIRST + 20 * DAY)


def test_ctrl_c_leaves_the_view_readable(repo: Path) -> None:
    """An interrupt reaches the caller as it is; what is served, the watermark and the ledger tell the truth."""
    from limner.workers.ledger import Ledger
    from limner.workers.report import Event as Report
    from limner.workers.report import RowsPrepared, reporting_to

    def interrupt(event: Report) -> None:
        if isinstance(event, RowsPrepared):
            raise KeyboardInterrupt

    store = apply(repo)
    store.materialize(FIRST, FIRST + 10 * DAY)
    with reporting_to(interrupt), pytest.raises(KeyboardInterrupt):
        store.materialize_incremental(FIRST + 20 * DAY)
    assert store.get_feature_view("activity").most_recent_end_time == FIRST + 10 * DAY
    everyone_is_right(store, FIRST + 10 * DAY)
    ledger = Ledger(f"sqlite:///{repo.parent / 'data' / 'ledger.db'}")
    assert [run.status for run in ledger.runs()] == ["interrupted", "done"]


def test_reads_go_on_while_a_run_is_on(repo: Path) -> None:
    """Every answer during a run is that of before or that of after, and none is an error."""
    store = apply(repo)
    store.materialize(FIRST, FIRST + 10 * DAY)
    stop, answers, errors = threading.Event(), [], []

    def read() -> None:
        from feast import FeatureStore

        reader = FeatureStore(repo_path=str(repo))
        while not stop.is_set():
            try:
                answers.append(tuple(map(repr, online(reader, [1, 2, 33]))))
            except Exception as error:  # noqa: BLE001 (every one is a finding)
                errors.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    store.materialize_incremental(FIRST + 20 * DAY)
    stop.set()
    thread.join()
    moments = [FIRST + 10 * DAY, FIRST + 20 * DAY]
    allowed = {tuple(repr(in_seconds(expected(ROWS, user, at))) for user in (1, 2, 33)) for at in moments}
    assert errors == []
    assert set(answers) <= allowed


def test_dropping_a_view_drops_its_values_and_a_copy_drops_nothing_here(repo: Path, tmp_path: Path) -> None:
    """A copied project works on its own data; in the original, a dropped view is gone online."""
    store = apply(repo)
    store.materialize(FIRST, FIRST + 10 * DAY)
    copied = tmp_path / "copy"
    shutil.copytree(repo.parent, copied, ignore=shutil.ignore_patterns("copy"))
    emptied = SPECS[: SPECS.index("---\nfeature_view")]
    (copied / "specs" / "shop.yaml").write_text(emptied)
    copy = apply(copied / "feature_repo")
    assert copy.list_feature_views() == []
    everyone_is_right(store, FIRST + 10 * DAY)
    (repo.parent / "specs" / "shop.yaml").write_text(emptied)
    apply(repo)
    with sqlite3.connect(repo.parent / "data" / "online.db") as database:
        assert database.execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'values%'").fetchone() == (0,)


def test_a_first_incremental_run_over_old_data_names_the_remedy(repo: Path) -> None:
    """Feast begins a first incremental run a year ago; data that end before that need START."""
    store = apply(repo)
    with pytest.raises(LimnerError, match="give the first run its beginning, `feast materialize START END`"):
        store.materialize_incremental(datetime(2017, 6, 1))


def test_the_stock_command_line_fails_with_one_message(tmp_path: Path, ray: None) -> None:
    """A broken spec in `feast apply`, a lost source in `feast materialize`: exit code 1, the reason, no traceback."""
    repo = make_project(tmp_path, ROWS[:50])
    specs = tmp_path / "specs" / "shop.yaml"
    specs.write_text(SPECS.replace("sum: amount", "sum: amuont"))
    done = subprocess.run([*FEAST, "--chdir", str(repo), "apply"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "shop.yaml:" in done.stderr
    assert "amount" in done.stderr
    assert "Traceback" not in done.stderr
    specs.write_text(SPECS)
    apply(repo)
    (tmp_path / "events" / "a.parquet").unlink()
    command = [*FEAST, "--chdir", str(repo), "materialize", "2026-01-01", "2026-01-09"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Error: activity: " in done.stderr
    assert "Traceback" not in done.stderr
