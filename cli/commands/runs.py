"""`limner runs`: what was run, when, and how it ended."""

from typing import Annotated, Any

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
        output.emit_json([row | {"start": _instant(row["start"]), "end": _instant(row["end"])} for row in rows])
        return 0
    if not rows:
        output.console().print("no run yet: limner materialize START END")
        return 0
    render(rows)
    return 0


def render(rows: list[dict[str, Any]]) -> None:
    """Print a table of runs."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("started", "status", "command", "views", "from", "to", "note"):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(
            f"{row['started_at']:%Y-%m-%d %H:%M:%S}Z",
            row["status"],
            row["command"],
            ", ".join(row["views"]),
            output.instant(row["start"]),
            output.instant(row["end"]),
            row["error"] or "",
        )
    output.console().print(table)


def _instant(micros: int | None) -> str | None:
    return None if micros is None else output.instant(micros)
