"""The ledger on a real PostgreSQL."""

import pytest

from limner.language.errors import LimnerError
from limner.workers.ledger import Ledger, TaskKey

pytestmark = pytest.mark.integration


def test_everything_is_kept_as_in_sqlite(postgres: str) -> None:
    """Runs, tasks, quarantine, deployments and served fingerprints, with 64-bit instants and UTC moments."""
    ledger, key = Ledger(postgres), TaskKey("taste", "f", -(2**60), 2**60, 0)
    run = ledger.start_run("materialize", ["taste"], -(2**60), 2**60)
    ledger.record_task(run, key, "old", 2**40, 0.5, "p")
    ledger.record_task(run, key, "new", 2**40, 0.5, "p")
    ledger.quarantine(run, "events", "not finite", 2**40, None)
    ledger.deploy([("taste", "new", "f")])
    ledger.serve("taste", "e")
    ledger.serve("taste", "f")
    ledger.finish_run(run, "failed", "cannot reach postgresql://u:hunter2@h", {"rows": 2**40})
    ledger.close()
    other = Ledger(postgres)
    assert not other.task_done(key, "old")
    assert other.task_done(key, "new")
    found = other.runs()[0]
    assert (found.status, found.views, found.start, found.end) == ("failed", ["taste"], -(2**60), 2**60)
    assert found.error == "cannot reach postgresql://u:***@h"
    assert found.summary == {"rows": 2**40}
    assert str(found.started_at.tzinfo) == "UTC"
    assert [row.rows for row in other.quarantined(run)] == [2**40]
    assert [row.view for row in other.deployments()] == ["taste"]
    assert other.served() == {"taste": "f"}
    other.close()


def test_a_database_that_does_not_exist_is_named(postgres: str) -> None:
    """One clear message."""
    with pytest.raises(LimnerError, match=r'cannot open the ledger .*database "nowhere_.*" does not exist'):
        Ledger(postgres.replace("/test_", "/nowhere_"))
