"""Commands that compute: what they say and leave behind when it works, and when it does not."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from integration.tiny_bert import write_tiny_bert
from running import Limner, hearing_ctrl_c

from limner.benchmarks.ports import free_ports
from limner.cli.commands.init import create
from limner.cli.main import run

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("cli")]

WITH_TEXT = """
encoder: tiny
model: models/tiny
max_tokens: 32
---
feature_view: user_taste
entity: user
source: events
every: 1d
features:
  taste: {embed: "{category}", encoder: tiny, over: 30d}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project, applied and materialized over January. Its Triton would be where nobody listens."""
    root = tmp_path_factory.mktemp("cli") / "store"
    create(root)
    settings = root / "feature_repo/feature_store.yaml"
    engine = "  type: limner.feature_repo.engine.LimnerEngine\n"
    triton = f"  triton: {{url: '127.0.0.1:{free_ports(1)[0]}', attempts: 1}}\n"
    settings.write_text(settings.read_text().replace(engine, engine + triton))
    assert run(["-C", str(root), "apply", "--yes"]) == 0
    assert run(["-C", str(root), "materialize", "2026-01-01", "2026-02-01"]) == 0
    return root


def test_json_is_all_there_is_on_stdout(served: Path, limner: Limner) -> None:
    """Every command that can say `--json` can be piped into a program."""
    (served / "keys.csv").write_text("user_id,event_timestamp,label\n1,2026-01-10,0\n")
    for line in (
        ["get", "1", "--json"],
        ["show", "1", "--json"],
        ["runs", "--json"],
        ["validate", "--json"],
        ["plan", "--json"],
        ["doctor", "--quick", "--json"],
        ["history", "keys.csv", "--json"],
    ):
        arguments = [str(served / part) if part == "keys.csv" else part for part in line]
        done = limner("-C", served, *arguments)
        assert done.code == 0, (line, done.err)
        assert json.loads(done.out) is not None


def test_a_training_set_has_the_values_of_its_instants(served: Path, tmp_path: Path, limner: Limner) -> None:
    """As of the 10th, user 1 had ordered on the 1st and the 9th; an unknown user has nulls; labels stay."""
    (tmp_path / "keys.csv").write_text("user_id,when,label\n1,2026-01-10T00:00:00Z,7\n9,2026-01-10,8\n1,2026-01-09,9\n")
    done = limner("-C", served, "history", str(tmp_path / "keys.csv"), "--at", "when")
    assert done.code == 0, done.err
    lines = [line.split(",") for line in done.out.splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert [row["label"] for row in rows] == ["7", "8", "9"]
    assert [row["orders_30d"] for row in rows] == ["2", "", "1"]


def test_an_unreachable_triton_fails_with_the_command_that_resumes(
    served: Path, tmp_path: Path, limner: Limner
) -> None:
    """What is served stays; the message says how to start Triton, and how to go on."""
    root = tmp_path / "store"
    shutil.copytree(served, root)
    before = limner("-C", root, "get", "1", "--json").out
    write_tiny_bert(root / "models" / "tiny")
    (root / "specs" / "taste.yaml").write_text(WITH_TEXT)
    applied = limner("-C", root, "apply", "--yes")
    assert applied.code == 0, applied.err
    done = limner("-C", root, "materialize", "2026-01-01", "2026-02-03")
    assert done.code == 1
    assert "limner triton up" in done.err
    assert "Traceback" not in done.err
    assert f"limner -C {root} materialize 2026-01-01T00:00:00+00:00 2026-02-03T00:00:00+00:00" in done.err
    assert limner("-C", root, "get", "1", "--profile", "user_taste").code == 1
    assert json.loads(before)[0]["found"]
    newest = json.loads(limner("-C", root, "runs", "--json").out)[0]
    assert newest["status"] == "failed"
    assert "user_taste" in newest["error"]


def test_ctrl_c_ends_with_the_command_that_resumes_and_breaks_nothing(
    served: Path, tmp_path: Path, limner: Limner
) -> None:
    """Interrupted in the middle of a run: exit code 130, profiles readable, and the same command completes."""
    root = tmp_path / "store"
    shutil.copytree(served, root)
    line = [sys.executable, "-m", "limner.cli.main", "-C", str(root), "materialize", "2026-01-01", "2026-02-20"]
    with subprocess.Popen(hearing_ctrl_c(line), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "user_activity: from" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert f"limner -C {root} materialize 2026-01-01T00:00:00+00:00 2026-02-20T00:00:00+00:00" in said
    assert json.loads(limner("-C", root, "get", "1", "--json").out)[0]["found"]
    ended = limner("-C", root, "materialize", "2026-01-01", "2026-02-20", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["status"] == "done"


def test_a_view_that_does_not_exist_is_an_expected_failure(served: Path, limner: Limner) -> None:
    """Feast's own complaint, without its traceback."""
    done = limner("-C", served, "materialize", "2026-01-01", "2026-02-01", "--views", "user_activty")
    assert done.code == 1
    assert "user_activty" in done.err
    assert "Traceback" not in done.err
