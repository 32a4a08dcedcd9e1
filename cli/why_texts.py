"""Which texts moved a pooled feature of one entity: as text, and as data."""

from dataclasses import asdict
from typing import TYPE_CHECKING

from limner.cli import output

if TYPE_CHECKING:
    from limner.workers.models.texts.why import TextsBehind

_MOST = 20  # texts in the table; as data there are all
_LONG = 72  # characters


def emit(key: str, found: "TextsBehind") -> None:
    """Write it as JSON; instants as text."""
    texts = [asdict(each) | {"time": output.instant(each.time)} for each in found.texts]
    when = {"cut_off": output.instant(found.cut_off), "instant": output.instant(found.instant)}
    output.emit_json({"key": key, **asdict(found), **when, "texts": texts})


def render(key: str, found: "TextsBehind") -> None:
    """Print a line a text, the one that moved the value most first."""
    from rich.table import Table

    console = output.console()
    version = f"model {found.by}, version {found.version}, cut-off {output.instant(found.cut_off)}"
    console.print(
        f"[bold]{key} · {found.view}.{found.feature} = {output.brief(found.value)}[/bold] · as of "
        f"{output.instant(found.instant)} · {version if found.version else f'encoder {found.by}'}",
        soft_wrap=True,
    )
    table = Table("moves", "weight", "says", "when", "text", box=None, padding=(0, 2))
    vector = not isinstance(found.value, float)
    for each in found.texts[:_MOST]:
        moves = "all" if each.moves is None else f"{each.moves:.4f}" if vector else f"{each.moves:+.4f}"
        table.add_row(moves, f"{each.share:.1%}", _said(each.says), output.instant(each.time), _short(each.text))
    console.print(table)
    if len(found.texts) > _MOST:
        console.print(f"and {len(found.texts) - _MOST:,} texts that moved it less")


def _said(says: float | dict[str, float] | None) -> str:
    """A probability; of several the greatest, and what it is of."""
    if isinstance(says, dict):
        name = max(says, key=lambda each: says[each])
        return f"{name} {says[name]:.3f}"
    return "" if says is None else f"{says:.3f}"


def _short(text: str) -> str:
    from rich.markup import escape

    line = " ".join(text.split())
    return escape(line if len(line) <= _LONG else line[: _LONG - 1] + "…")
