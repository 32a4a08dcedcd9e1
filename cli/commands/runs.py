"""`limner runs`: what was run, when, and how it ended."""

from typing import Annotated

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption


def runs(
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many, newest first.")] = 20,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """List runs, newest first, from the ledger."""
    from limner.workers.ledger import Ledger

    found = Ledger(project.settings(project.find(project_folder)).ledger).runs(limit)
    rows = [run.model_dump() for run in found]
    if json:
        output.emit_json(rows)
        return 0
    if not rows:
        output.console().print("no run yet: limner materialize START END")
        return 0
    render(rows)
    return 0


def render(rows: list[dict[str, object]]) -> None:
    """Print a table of runs."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("started", "status", "command", "views", "from", "to", "note"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            *(
                output.brief(row.get(name))
                for name in ("started_at", "status", "command", "views", "start", "end", "error")
            )
        )
    output.console().print(table)
