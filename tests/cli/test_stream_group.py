"""Processes that share an input: started again when they die, summed up when they end."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from limner.cli.main import run
from limner.cli.stream_group import FAILURES, Group
from limner.language.errors import LimnerError

WORKER = """
import json, signal, sys, time
from pathlib import Path
here = Path(sys.argv[1])
(here / str(len(list(here.iterdir())))).write_text("")
if sys.argv[2] == "fail":
    sys.exit(3)
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
while sys.argv[2] == "wait" and not stop:
    time.sleep(0.01)
print(json.dumps({"taken": 2, "dead": 1}))
"""


def group(folder: Path, what: str, told: list[str], workers: int = 2) -> Group:
    """Workers that do `what`, each leaving a file in the folder."""
    return Group([sys.executable, "-c", WORKER, str(folder), what], workers, told.append)


def test_what_all_have_done_is_summed_up(tmp_path: Path) -> None:
    """When they come to the end of their input, there is nothing to start again."""
    assert group(tmp_path, "once", []).run() == {"taken": 4, "dead": 2}


def test_one_that_dies_is_started_again_and_all_end_with_the_group(tmp_path: Path) -> None:
    """SIGTERM reaches all; what they printed last counts."""
    told: list[str] = []
    running = group(tmp_path, "wait", told)
    victim = running._running[0].process

    def act() -> None:
        while not list(tmp_path.iterdir()):
            time.sleep(0.01)
        victim.kill()
        while not told:
            time.sleep(0.01)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=act).start()
    assert running.run() == {"taken": 4, "dead": 2}
    assert told == ["a worker ended with -9: starting another"]


def test_workers_that_cannot_start_are_given_up(tmp_path: Path) -> None:
    """After some attempts."""
    told: list[str] = []
    with pytest.raises(LimnerError, match="as soon as they are started"):
        group(tmp_path, "fail", told, workers=1).run()
    assert len(told) == FAILURES - 1


def test_a_folder_is_for_one_worker(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """It says so."""
    (tmp_path / "specs").mkdir()
    (tmp_path / "feature_repo").mkdir()
    (tmp_path / "feature_repo" / "feature_store.yaml").write_text("project: shop\n")
    assert run(["-C", str(tmp_path), "stream", "--from", f"folder:{tmp_path}", "--workers", "2"]) == 1
    assert "a folder is read by one worker" in capfd.readouterr().err
