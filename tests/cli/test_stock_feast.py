"""What Feast's command line leaves behind in this process: nothing."""

import importlib
import sys
from pathlib import Path

import pytest

from limner.cli.stock_feast import same_place


def test_each_project_has_definitions_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Feast imports them by a name that all projects have."""
    monkeypatch.chdir(tmp_path)
    before, said = Path.cwd(), []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "limner_definitions.py").write_text(f"NAME = {name!r}")
        with same_place(tmp_path / name):
            sys.path.append(str(tmp_path / name))
            said.append(importlib.import_module("limner_definitions").NAME)
            monkeypatch.chdir(tmp_path / name)
    assert said == ["one", "two"]
    assert Path.cwd() == before
    assert "limner_definitions" not in sys.modules
