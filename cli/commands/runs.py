"""`limner runs`: what was run, when, and how it ended."""

from pathlib import Path
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
    rows = listed(project.find(project_folder), limit)
    if json:
        output.emit_json(rows)
    elif rows:
        render(rows)
    else:
        output.console().print("no run yet: limner materialize START END")
    return 0


def listed(root: Path, limit: int) -> list[dict[str, Any]]:
    """Return the newest runs; `start` and `end` as text."""
    from limner.workers.ledger import Ledger

    ledger = Ledger(project.settings(root).ledger)
    try:
        rows = [run.model_dump(exclude={"process"}) for run in ledger.runs(limit)]
    finally:
        ledger.close()
    return [row | {name: row[name] and output.instant(row[name]) for name in ("start", "end")} for row in rows]


def render(rows: list[dict[str, Any]]) -> None:
    """Print a line a run, and below it why it failed, and what it mended."""
    console = output.console()
    for row in rows:
        ended = row["finished_at"]
        took = f"{(ended - row['started_at']).total_seconds():.0f} s" if ended else "-"
        interval = " → ".join(_short(row[name]) for name in ("start", "end"))
        views = ", ".join(row["views"])
        line = f"{row['started_at']:%Y-%m-%d %H:%M:%S}Z  {row['status']:<11} {took:>6}  {interval}  {views}"
        console.print(line, markup=False, soft_wrap=True)
        for reason in (row["error"] or "").splitlines():
            console.print(f"    {reason}", markup=False, soft_wrap=True)
        for view, told in _mended(row["summary"]):
            console.print(f"    {view}: mended {told}", markup=False, soft_wrap=True)


def _mended(summary: dict[str, Any]) -> list[tuple[str, str]]:
    """View, and which rows of what a run put right in it."""
    found = []
    for view, told in summary.items():
        for key, what in (("stream", "history rows of the stream"), ("online_checked", "online rows")):
            each = told.get(key) if isinstance(told, dict) else None
            if isinstance(each, dict) and each.get("rows"):
                counts = each["features"] | {word: each[word] for word in ("missing", "strange") if each[word]}
                words = ", ".join(f"{name} {count:,}" for name, count in counts.items())
                found.append((view, f"{each['rows']:,} of {each['compared']:,} {what}: {words}"))
    return found


def _short(instant: str | None) -> str:
    """Leave out a midnight."""
    return (instant or "-").removesuffix(" 00:00:00Z")
