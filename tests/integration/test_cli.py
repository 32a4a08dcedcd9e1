"""Commands that compute: what they say and leave behind when it works, and when it does not."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from integration.tiny_bert import write_tiny_bert
from integration.triton_server import free_ports

from limner.cli.commands.init import create

pytestmark = pytest.mark.integration

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
    """A new project, applied and materialized over January."""
    root = tmp_path_factory.mktemp("cli") / "store"
    create(root)
    grpc, *_ = free_ports(1)
    with (root / "feature_repo/feature_store.yaml").open("a") as settings:
        settings.write("")
    text = (root / "feature_repo/feature_store.yaml").read_text()
    engine = "  type: limner.feature_repo.engine.LimnerEngine\n"
    triton = f"  triton: {{url: '127.0.0.1:{grpc}', attempts: 1}}\n"
    (root / "feature_repo/feature_store.yaml").write_text(text.replace(engine, engine + triton))
    assert limner(root, "apply", "--yes").returncode == 0
    done = limner(root, "materialize", "2026-01-01", "2026-02-01")
    assert done.returncode == 0, done.stderr
    return root


def limner(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "limner.cli.main", "-C", str(root), *arguments]
    return subprocess.run(line, capture_output=True, text=True, check=False, timeout=300)


def test_json_is_all_there_is_on_stdout(served: Path) -> None:
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
        done = limner(served, *arguments)
        assert done.returncode == 0, (line, done.stderr)
        assert json.loads(done.stdout) is not None


def test_a_training_set_has_the_values_of_its_instants(served: Path, tmp_path: Path) -> None:
    """As of the 10th, user 1 had ordered on the 1st and the 9th; an unknown user has nulls; labels stay."""
    (tmp_path / "keys.csv").write_text("user_id,when,label\n1,2026-01-10T00:00:00Z,7\n9,2026-01-10,8\n1,2026-01-09,9\n")
    done = limner(served, "history", str(tmp_path / "keys.csv"), "--at", "when")
    assert done.returncode == 0, done.stderr
    lines = [line.split(",") for line in done.stdout.splitlines()]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    assert [row["label"] for row in rows] == ["7", "8", "9"]
    assert [row["orders_30d"] for row in rows] == ["2", "", "1"]


def test_an_unreachable_triton_fails_with_the_command_that_resumes(served: Path, tmp_path: Path) -> None:
    """What is served stays; the message says how to start Triton, and how to go on."""
    root = tmp_path / "store"
    shutil.copytree(served, root)
    before = limner(root, "get", "1", "--json").stdout
    write_tiny_bert(root / "models" / "tiny")
    (root / "specs" / "taste.yaml").write_text(WITH_TEXT)
    applied = limner(root, "apply", "--yes")
    assert applied.returncode == 0, applied.stderr
    done = limner(root, "materialize", "2026-01-01", "2026-02-03")
    assert done.returncode == 1
    assert "limner triton up" in done.stderr
    assert "Traceback" not in done.stderr
    assert f"limner -C {root} materialize 2026-01-01T00:00:00+00:00 2026-02-03T00:00:00+00:00" in done.stderr
    assert limner(root, "get", "1", "--profile", "user_taste").returncode == 1
    assert json.loads(before)[0]["found"]
    newest = json.loads(limner(root, "runs", "--json").stdout)[0]
    assert newest["status"] == "failed"
    assert "user_taste" in newest["error"]


def test_a_view_that_does_not_exist_is_an_expected_failure(served: Path) -> None:
    """Feast's own complaint, without its traceback."""
    done = limner(served, "materialize", "2026-01-01", "2026-02-01", "--views", "user_activty")
    assert done.returncode == 1
    assert "user_activty" in done.stderr
    assert "Traceback" not in done.stderr
