"""The README's promises: its spec is valid, its commands and its Python run, its targets and links exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands(text: str = README) -> list[str]:
    lines = [line for block in blocks("console", text) for line in block.splitlines() if line.startswith("$ ")]
    return [re.sub(r"\s+# .*", "", line.removeprefix("$ ")) for line in lines]


def test_the_spec_in_ten_lines_is_valid_and_has_ten_lines(tmp_path: Path) -> None:
    """Put among the demo's specs, it loads."""
    from limner.language.repo import load

    (spec,) = blocks("yaml")
    assert len(spec.splitlines()) == 10
    (tmp_path / "taste.yaml").write_text(spec)
    for path in (ROOT / "specs").glob("*.yaml"):
        if path.name != "shopper_taste.yaml":
            (tmp_path / path.name).write_text(path.read_text())
    assert "shopper_taste" in load(tmp_path).views


def test_python_examples_are_under_ten_lines() -> None:
    """Two ways to read a profile, each short enough to remember."""
    assert len(blocks("python")) == 2
    assert all(len([line for line in block.splitlines() if line.strip()]) < 10 for block in blocks("python"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_and_links_exist(page: Path) -> None:
    """A page never points at what is not there."""
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {command.split()[1] for command in commands(text) if command.startswith("make ")} <= targets
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link


@pytest.mark.integration
def test_the_commands_and_the_python_run_as_written(tmp_path: Path) -> None:
    """A newcomer types the README from `limner init` to the training set, and then runs both Python examples."""
    lines = [command for command in commands() if not command.startswith("make ")]
    assert lines[0].startswith("limner init")
    python = "\n".join(f"{shlex.quote(sys.executable)} - <<'PYTHON'\n{block}PYTHON" for block in blocks("python"))
    script = "\n".join(
        ["set -euo pipefail", f"PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH", *lines, python]
    )
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "my_store/training.parquet").is_file()
