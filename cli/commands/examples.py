"""`limner test`: run the examples that views carry, without a server and without the project's data."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.examples import Outcome


def examples(
    views: Annotated[list[str] | None, typer.Argument(metavar="[VIEW]...", help="Only these feature views.")] = None,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Run the examples in the specs: a few rows, an instant, and the values that features must have then."""
    outcomes = _run(project.find(project_folder), views or [])
    failed = [outcome for outcome in outcomes if not outcome.holds]
    if json:
        output.emit_json({"passed": len(outcomes) - len(failed), "failed": len(failed), "examples": _json(outcomes)})
    else:
        _show(outcomes)
    return 1 if failed else 0


def _run(root: Path, chosen: list[str]) -> "list[Outcome]":
    from limner.language.columns import check
    from limner.language.repo import load
    from limner.language.suggest import did_you_mean
    from limner.workers.examples import run_examples
    from limner.workers.sources.describe import describe_all

    specs = load(project.settings(root).specs)
    for name in chosen:
        if name not in specs.views:
            raise LimnerError(f"there is no feature view {name!r}: {did_you_mean(name, specs.views)}")
    raw = describe_all(specs, root)
    check(specs, raw)
    with tempfile.TemporaryDirectory(prefix="limner-test-") as folder:
        return [outcome for name in (chosen or specs.views) for outcome in run_examples(specs, name, raw, Path(folder))]


def _show(outcomes: "list[Outcome]") -> None:
    say = output.console().print
    for outcome in outcomes:
        sign = "[green]ok[/green]" if outcome.holds else "[red]FAILED[/red]"
        about = f": {outcome.description}" if outcome.description else ""
        say(f"{sign} {outcome.view}, example {outcome.number}", end="")
        say(about, markup=False, soft_wrap=True)
        for each in outcome.differences:
            text = f"     {each.feature}: expected {output.brief(each.expected)}, found {output.brief(each.found)}"
            say(text, markup=False, soft_wrap=True)
    failed = sum(not outcome.holds for outcome in outcomes)
    if not outcomes:
        say("no view has examples; add some under `examples:`", markup=False)
    else:
        say(f"{len(outcomes) - failed} of {len(outcomes)} examples hold")


def _json(outcomes: "list[Outcome]") -> list[dict[str, Any]]:
    return [
        {
            "view": outcome.view,
            "example": outcome.number,
            "description": outcome.description,
            "holds": outcome.holds,
            "differences": [vars(each) for each in outcome.differences],
        }
        for outcome in outcomes
    ]
