"""A project in a temporary folder, and a way to run commands on it in this process."""

from pathlib import Path

import pytest
from running import Ended, Limner

from limner.cli.commands.init import create
from limner.cli.main import run


@pytest.fixture
def limner(capfd: pytest.CaptureFixture[str]) -> Limner:
    """Run `limner ARGUMENTS` in this process."""

    def invoke(*arguments: object) -> Ended:
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return invoke


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project, as `limner init` makes it."""
    folder = tmp_path / "store"
    create(folder)
    return folder
