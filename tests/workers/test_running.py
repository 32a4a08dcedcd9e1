"""A run is in the ledger, whichever way it ends."""

from pathlib import Path

import pytest

from limner.language.errors import LimnerError
from limner.workers.ledger import Ledger
from limner.workers.running import Running, running
from limner.workers.settings import EngineSettings
from limner.workers.tasks import InProcess


def _ends(run: Running, how: str) -> None:
    run.summary["rows"] = 3
    match how:
        case "told":
            run.status, run.error = "failed", "a view failed"
        case "raised":
            raise LimnerError("no rows")
        case "stopped":
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("how", "status", "error"),
    [
        ("well", "done", None),
        ("told", "failed", "a view failed"),
        ("raised", "failed", "no rows"),
        ("stopped", "interrupted", "KeyboardInterrupt"),
    ],
)
def test_a_run_is_recorded_as_it_ends(how: str, status: str, error: str | None, tmp_path: Path) -> None:
    settings = EngineSettings(ledger=f"sqlite:///{tmp_path / 'ledger.db'}", shards=7)
    ledger = Ledger(settings.ledger)
    try:
        with running(settings, ledger, InProcess, "skew", ["a"], 1, 2) as run:
            assert (run.context.run_id, run.context.shards) == (ledger.runs()[0].id, 1)
            assert ledger.runs()[0].status == "running"
            _ends(run, how)
    except (LimnerError, KeyboardInterrupt):
        assert how in ("raised", "stopped")
    (found,) = ledger.runs()
    assert (found.status, found.error, found.summary) == (status, error, {"rows": 3})
    assert (found.command, found.views, found.start, found.end) == ("skew", ["a"], 1, 2)
    ledger.close()


def test_a_run_whose_workers_do_not_start_has_failed(tmp_path: Path) -> None:
    settings = EngineSettings(ledger=f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger = Ledger(settings.ledger)

    def nowhere() -> InProcess:
        raise LimnerError("no cluster")

    with pytest.raises(LimnerError, match="no cluster"), running(settings, ledger, nowhere, "fit", ["m"]):
        pass
    assert (ledger.runs()[0].status, ledger.runs()[0].error) == ("failed", "no cluster")
    ledger.close()
