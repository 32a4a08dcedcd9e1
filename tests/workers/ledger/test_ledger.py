"""The ledger on SQLite."""

import multiprocessing
import os
import signal
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ledger_processes import start_and_sleep, write_tasks

from limner.language.errors import LimnerError
from limner.workers.ledger import Ledger, TaskKey

KEY = TaskKey("taste", "f" * 64, 0, 2**60, 3)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/new folder/ledger.db"


def test_a_run_is_remembered_with_how_it_ended(url: str) -> None:
    """Newest first; moments are UTC; another process (here: another connection) reads the same."""
    ledger = Ledger(url)
    first = ledger.start_run("materialize", ["taste", "basics"], 5, 2**60)
    second = ledger.start_run("materialize", ["taste"])
    ledger.finish_run(first, "done", summary={"rows": 3, "by": {"reason": [1, None]}})
    runs = Ledger(url).runs()
    assert [run.id for run in runs] == [second, first]
    assert (runs[1].status, runs[1].views, runs[1].start, runs[1].end) == ("done", ["taste", "basics"], 5, 2**60)
    assert runs[1].summary == {"rows": 3, "by": {"reason": [1, None]}}
    assert runs[0].status == "running"
    assert runs[1].finished_at is not None
    assert runs[1].finished_at.utcoffset() == timedelta(0)
    assert timedelta(0) <= datetime.now(UTC) - runs[1].started_at < timedelta(minutes=1)
    assert len(Ledger(url).runs(limit=1)) == 1


def test_no_password_is_stored(url: str, tmp_path: Path) -> None:
    """Errors, reasons, commands and summaries may quote a URL; the file never holds its password."""
    ledger = Ledger(url)
    run = ledger.start_run("materialize postgresql://u:hunter2@h/d", [])
    ledger.quarantine(run, "events", "cannot read redis://:hunter2@h", 1, None)
    ledger.finish_run(run, "failed", "postgresql://u:hunter2@h failed", {"a": [{"b": "x://u:hunter2@h"}]})
    ledger.close()
    files = list((tmp_path / "new folder").iterdir())
    assert files
    assert not any(b"hunter2" in file.read_bytes() for file in files)


def test_a_task_is_done_for_its_inputs_only(url: str) -> None:
    """Other inputs, unknown inputs or another key: the task must run."""
    ledger = Ledger(url)
    assert not ledger.task_done(KEY, "inputs")
    ledger.record_task("run", KEY, "inputs", rows=7, seconds=0.5, path="p")
    assert ledger.task_done(KEY, "inputs")
    assert not ledger.task_done(KEY, "other inputs")
    assert not ledger.task_done(KEY, None)
    assert not ledger.task_done(TaskKey("taste", "f" * 64, 0, 2**60, 4), "inputs")
    ledger.record_task("later run", KEY, "other inputs", rows=8, seconds=0.5, path="p")
    assert ledger.task_done(KEY, "other inputs")
    ledger.record_task("run", KEY, None, rows=8, seconds=0.5, path="p")
    assert not ledger.task_done(KEY, None)


def test_deployments_quarantine_and_served_fingerprints_are_kept(url: str) -> None:
    """What an apply changed, what a run set aside, what each view serves."""
    ledger = Ledger(url)
    ledger.deploy([("taste", "new", "1"), ("basics", "new", "2")])
    later = ledger.deploy([("basics", "dropped", None)])
    assert ledger.deploy([]) != later
    found = [(row.id == later, row.view, row.change, row.fingerprint) for row in ledger.deployments()]
    assert found == [
        (True, "basics", "dropped", None),
        (False, "basics", "new", "2"),
        (False, "taste", "new", "1"),
    ]
    ledger.quarantine("run", "events", "not finite", 3, "q.parquet")
    ledger.quarantine("another", "events", "not finite", 4, None)
    assert [(row.source, row.reason, row.rows) for row in ledger.quarantined("run")] == [("events", "not finite", 3)]
    ledger.serve("taste", "1")
    ledger.serve("taste", "2")
    assert ledger.served() == {"taste": "2"}


def test_a_killed_run_is_found_out(url: str) -> None:
    """A run whose process is gone is `killed`; one whose process lives is still `running`."""
    ledger = Ledger(url)
    mine = ledger.start_run("materialize", [])
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    victim = context.Process(target=start_and_sleep, args=(url, started))
    victim.start()
    assert started.wait(30)
    assert {run.status for run in ledger.runs()} == {"running"}
    os.kill(victim.pid or 0, signal.SIGKILL)
    victim.join()
    assert {run.id == mine: run.status for run in ledger.runs()} == {True: "running", False: "killed"}


def test_processes_write_at_the_same_time(url: str) -> None:
    """Also while the tables are being made: nobody sees a locked database, no row is lost."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(3)
    writers = [context.Process(target=write_tasks, args=(url, shard, start)) for shard in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    ledger = Ledger(url)
    assert all(ledger.task_done(TaskKey("v", "f", n, n + 1, shard), "i") for shard in range(3) for n in range(30))


def test_tables_of_a_later_version_are_refused(url: str) -> None:
    """An older Limner must not write into what it does not know."""
    Ledger(url).close()
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        database.execute("UPDATE limner_schema SET version = 99")
    with pytest.raises(LimnerError, match=r"tables of version 99, this Limner knows 1: upgrade Limner"):
        Ledger(url)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("ledger.db", r"is not a database URL.*expected sqlite:///path/to/ledger.db"),
        ("oracle://u:hunter2@h/d", r"needs the package|is not a database URL"),
        ("sqlite:////proc/no/ledger.db", r"cannot open the ledger .*check the database"),
        ("postgresql://u:hunter2@127.0.0.1:1/d", r"cannot open the ledger postgresql://u:\*\*\*@127.0.0.1:1/d"),
    ],
)
def test_a_ledger_that_cannot_be_opened_says_so(bad: str, message: str) -> None:
    """One message, what to look at, and no password."""
    with pytest.raises(LimnerError, match=message) as caught:
        Ledger(bad)
    assert "hunter2" not in str(caught.value)


def test_a_ledger_that_refuses_writes_is_an_error(url: str) -> None:
    """A write that failed is never passed over in silence."""
    ledger = Ledger(url)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
        database.execute("DROP TABLE limner_task")
    with pytest.raises(LimnerError, match=r"the ledger .* failed: no such table: limner_task"):
        ledger.record_task("run", KEY, "inputs", 1, 1.0, None)
