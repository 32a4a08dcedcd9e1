"""The segments of a version: who they are, and who moves when it begins to speak. As text, and as data."""

from typing import TYPE_CHECKING, Any

from limner.cli import output

if TYPE_CHECKING:
    from limner.workers.models.segmentation import Segmentation


def as_data(found: "Segmentation") -> dict[str, Any]:
    """Segments and moves as plain data."""
    data: dict[str, Any] = {
        "segments": [each.model_dump(mode="json") for each in sorted(found.groups, key=lambda each: each.id)]
    }
    return data | ({"changes": found.changes.model_dump(mode="json")} if found.changes is not None else {})


def render(found: "Segmentation") -> None:
    """Print a line a segment, then what became of those of the version before."""
    from rich.table import Table

    from limner.workers.models.movers import told

    console = output.console()
    table = Table(show_header=False, box=None, padding=(0, 2), pad_edge=True)
    for right in (True, False, True, False):
        table.add_column(justify="right" if right else "left")
    total = sum(each.size for each in found.groups)
    new = found.changes.new if found.changes is not None else ()
    for each in sorted(found.groups, key=lambda each: each.id):
        said = ", ".join(f"{name} {by:+.1f}" for name, by in each.apart[:3])
        fresh = "  new" if each.id in new else ""
        table.add_row(f"  {each.id}", each.name + fresh, f"{each.size:,} ({each.size / max(total, 1):.0%})", said)
    console.print(table, markup=False)
    if found.changes is not None:
        for line in told(found.changes):
            console.print(f"    {line}", markup=False, soft_wrap=True)
