"""`limner apply`: a plan, then Feast's own apply of exactly that plan."""

import sys

import typer

from limner.cli import output, project, stock_feast
from limner.cli.commands import plan
from limner.cli.options import JsonOption, ProjectOption, YesOption
from limner.language.errors import LimnerError


def apply(project_folder: ProjectOption = None, yes: YesOption = False, json: JsonOption = False) -> int:
    """Register the specs with Feast, after showing what changes; asks before anything is dropped."""
    root = project.find(project_folder)
    reviewed = plan.make(root)
    say = output.console().print
    if not json:
        plan.show(reviewed)
    if not reviewed.empty:
        if reviewed.unsafe and not yes:
            _ask()
        with stock_feast.quiet(), stock_feast.translated():
            from limner.feature_repo.apply import apply as feast_apply

            feast_apply(reviewed)
    if json:
        output.emit_json(plan.as_json(reviewed))
    elif reviewed.empty:
        say("nothing to apply")
    else:
        say("[green]applied[/green]; next: limner materialize START END (or `incremental`)")
    return 0


def _ask() -> None:
    """Ask a person; a program has to say --yes. Raises LimnerError for a no."""
    if not sys.stdin.isatty():
        raise LimnerError("this drops something that is served: run again with --yes if that is meant")
    if not typer.confirm("This drops something that is served. Go on?"):
        raise LimnerError("nothing was applied")
