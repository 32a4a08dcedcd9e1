"""`limner rollback VIEW...`: serve the version before the last one again."""

import shlex
from dataclasses import asdict
from typing import Annotated

import typer

from limner.cli import output, project, stock_feast
from limner.cli.options import JsonOption, ProjectOption


def rollback(
    views: Annotated[
        list[str],
        typer.Argument(metavar="VIEW...", help="Feature views; several go back in one step.", show_default=False),
    ],
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Switch views back to the version they served before, offline, online and in Feast's registry.

    The earlier history must still be there (`limner gc` keeps one). Doing it again goes forward again.
    """
    root = project.find(project_folder)
    with stock_feast.quiet(), stock_feast.translated():
        from limner.feature_repo.rollback import rollback as go_back

        steps = go_back(root, views)
    if json:
        output.emit_json([asdict(step) | {"until": output.instant(step.until)} for step in steps])
        return 0
    say = output.console().print
    for step in steps:
        left = f"{step.before[:12]} (applied, never served)" if step.pending else step.before[:12]
        say(
            f"[green]{step.view}[/green]: {left} → {step.after[:12]}, as of {output.instant(step.until)}",
            soft_wrap=True,
        )
        if step.frozen:
            say(f"      {step.frozen}", markup=False, soft_wrap=True)
    # What was withdrawn before it was ever served is no version to go to.
    forward = [step.view for step in steps if not step.pending]
    again = f"; go forward again: {shlex.join(['limner', 'rollback', *forward])}" if forward else ""
    say(f"catch up: limner materialize incremental{again}", markup=False, soft_wrap=True)
    say("the specs say otherwise now: `limner plan` shows it, `limner apply` would apply it again", markup=False)
    return 0
