"""`limner apply`: a plan, then Feast's own apply of exactly that plan."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import output, project, stock_feast
from limner.cli.commands import plan
from limner.cli.options import JsonOption, ProjectOption, YesOption
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.feature_repo.plan import PlanResult


def apply(
    checksum: Annotated[
        str | None,
        typer.Option("--plan", metavar="CHECKSUM", help="Apply this plan of `limner plan`, and refuse any other."),
    ] = None,
    allow_drop: Annotated[
        bool, typer.Option("--allow-drop", help="Apply also what drops a feature view or a profile.")
    ] = False,
    project_folder: ProjectOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> int:
    """Register the specs with Feast, after showing what changes. Whatever drops something needs --allow-drop."""
    root = project.find(project_folder)
    reviewed = plan.make(root)
    say = output.console().print
    if not json:
        plan.show(reviewed)
    _accept(reviewed, checksum, allow_drop=allow_drop, yes=yes)
    if not reviewed.empty:
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


def _accept(reviewed: "PlanResult", checksum: str | None, *, allow_drop: bool, yes: bool) -> None:
    """LimnerError for another plan than the one named, and for a drop that nobody has allowed."""
    if checksum is not None:
        from limner.feature_repo.apply import require

        require(reviewed, checksum)
    if not reviewed.unsafe:
        return
    gone = ", ".join(reviewed.dropped)
    if not allow_drop:
        raise LimnerError(f"this drops what is served: {gone}; if that is meant: limner apply --allow-drop")
    if sys.stdin.isatty() and not yes and not typer.confirm(f"This drops {gone}. Go on?"):
        raise LimnerError("nothing was applied")
