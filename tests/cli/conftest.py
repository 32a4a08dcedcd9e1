"""A project in a temporary folder."""

from pathlib import Path

import pytest

from limner.cli.commands.init import create


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A new project, as `limner init` makes it."""
    folder = tmp_path / "store"
    create(folder)
    return folder
