"""The generated project of `limner bench spec` is valid and has as many features as it says."""

from pathlib import Path

from limner.benchmarks.spec import write_project
from limner.cli.commands.validate import check
from limner.language.outputs import output_names
from limner.language.repo import load


def test_the_project_is_what_the_figures_say(tmp_path: Path) -> None:
    project = write_project(tmp_path / "bench", 3, 100)
    assert check(project.root)["feature views"] == 3
    views = load(project.root / "specs").views.values()
    assert sum(len(output_names(view)) for view in views) == 100
