"""Which rows moved a feature that a model of sequences makes of one entity: as text, and as data."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from limner.cli import output
from limner.cli.why_heading import heading

if TYPE_CHECKING:
    from limner.workers.models.sequences.why import RowsBehind

_MOST = 20  # rows in the table; as data there are all


def emit(key: str, found: "RowsBehind") -> None:
    """Write it as JSON; instants as text."""
    rows = [asdict(each) | {"time": output.instant(each.time)} for each in found.rows]
    when = {"cut_off": output.instant(found.cut_off), "instant": output.instant(found.instant)}
    output.emit_json({"key": key, **asdict(found), **when, "rows": rows})


def render(key: str, found: "RowsBehind") -> None:
    """Print a line a row, the one that moved the value most first."""
    from rich.markup import escape
    from rich.table import Table

    console = output.console()
    heading(key, found, f"{found.view}.{found.feature} = {escape(output.brief(found.value))}")
    what = f"moves {found.about}" if found.about else "moves"
    table = Table(escape(what), "when", *map(escape, found.rows[0].words), box=None, padding=(0, 2))
    for each in found.rows[:_MOST]:
        moves = f"{each.moves:+.4f}" if found.about else f"{each.moves:.4f}"
        words = ("" if word is None else escape(str(word)) for word in each.words.values())
        table.add_row(moves, output.instant(each.time), *words)
    console.print(table)
    if len(found.rows) > _MOST:
        console.print(f"and {len(found.rows) - _MOST:,} rows that moved it less")
