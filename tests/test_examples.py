"""Every example on the pages holds: `limner test` would say so."""

from pathlib import Path

import pytest

from limner.language.repo import load_texts
from limner.workers.examples import run_examples

FILES = sorted((Path(__file__).parents[1] / "docs" / "examples").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_examples_of_the_reference_hold(file: Path, tmp_path: Path) -> None:
    """One of them at least in each file."""
    specs = load_texts({file.name: file.read_text()})
    outcomes = [outcome for view in specs.views for outcome in run_examples(specs, view, {}, tmp_path)]
    assert outcomes
    assert [(o.view, o.number, d.feature, d.expected, d.found) for o in outcomes for d in o.differences] == []
