"""`limner doctor`: looks at everything a run depends on, and says what to do about what is wrong."""

from typing import Annotated

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption
from limner.language.errors import LimnerError

MARKS = {"ok": "[green]ok[/green]", "warning": "[yellow]warning[/yellow]", "failed": "[red]failed[/red]"}


def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Leave out what needs Feast (some seconds).")] = False,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Check Python, packages, specs, Triton, disk, ledger and stores; exits 1 if something has failed."""
    from dataclasses import asdict

    from limner.cli.checks import run

    try:
        root = project.find(project_folder)
    except LimnerError:
        root = None
    findings = []
    for finding in run(root, deep=not quick):
        findings.append(finding)
        if not json:
            say = output.console().print
            say(f"{MARKS[finding.state]:<26} {finding.name}: ", end="")
            say(finding.detail, markup=False, soft_wrap=True)
            if finding.remedy:
                say(f"{'':<9}→ {finding.remedy}", markup=False, soft_wrap=True)
    if json:
        output.emit_json([asdict(finding) for finding in findings])
    return 1 if any(finding.state == "failed" for finding in findings) else 0
