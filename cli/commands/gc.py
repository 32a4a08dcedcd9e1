"""`limner gc`: show what nothing serves, then remove it."""

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli import output, project, stock_feast
from limner.cli.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from limner.feature_repo.garbage import Garbage


def gc(
    keep: Annotated[
        int, typer.Option("--keep", min=0, metavar="N", help="Earlier versions of each view to keep, to go back to.")
    ] = 1,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove, without asking.")] = False,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Show what nothing serves nor needs: old histories, values, embeddings, model versions; remove it with --yes."""
    root = project.find(project_folder)
    with stock_feast.quiet(), stock_feast.translated():
        from limner.feature_repo.garbage import find, remove

        found = find(root, keep)
        if not json:
            show(found)
        go_on = bool(found.items) and (yes or (not json and sys.stdin.isatty() and typer.confirm("Remove all this?")))
        removed = remove(root, found.items, keep) if go_on else None
    if json:
        output.emit_json({"found": as_json(found), "removed": None if removed is None else as_json(removed)})
    elif removed is not None:
        for note in removed.notes:
            output.console().print(f"  {note}", markup=False, soft_wrap=True)
        output.console().print(f"removed {len(removed.items)}, {output.size(removed.bytes)}")
    elif found.items:
        output.console().print("nothing was removed; remove it: limner gc --yes")
    return 0


def as_json(garbage: "Garbage") -> dict[str, Any]:
    """Return items and notes for a program."""
    items = [
        {"kind": each.kind, "name": each.name, "why": each.why, "bytes": each.bytes, "path": each.path}
        for each in garbage.items
    ]
    return {"items": items, "bytes": garbage.bytes, "notes": list(garbage.notes)}


def show(garbage: "Garbage") -> None:
    """Print a line an item, and the sum."""
    from rich.table import Table

    console = output.console()
    table = Table(show_header=False, box=None, padding=(0, 2))
    for item in garbage.items:
        table.add_row(item.kind, item.name, item.why, output.size(item.bytes))
    if garbage.items:
        console.print(table)
    for note in garbage.notes:
        console.print(f"  {note}", markup=False, soft_wrap=True)
    total = f"{len(garbage.items)} to remove, {output.size(garbage.bytes)}" if garbage.items else "nothing to remove"
    console.print(total)
