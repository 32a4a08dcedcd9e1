"""Why a model says what it says of one entity: as text, and as data."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.cli import output, project
from limner.cli import why_rows as rows
from limner.cli import why_texts as texts
from limner.cli.why_heading import heading

if TYPE_CHECKING:
    from rich.table import Table

    from limner.workers.models.segment_why import SegmentWhy
    from limner.workers.models.why import Why


def explain(root: Path, key: str, feature: str, *, json: bool) -> int:
    """Print what moved the score of one entity."""
    from limner.workers.models.segment_why import SegmentWhy
    from limner.workers.models.sequences.why import names, rows_behind
    from limner.workers.models.texts.why import pooled_names, texts_behind
    from limner.workers.models.why import why

    data = project.settings(root).data
    behind = texts_behind(root, data, key, feature)
    if behind is not None:
        texts.emit(key, behind) if json else texts.render(key, behind)
        return 0
    read = rows_behind(root, data, key, feature)
    if read is not None:
        rows.emit(key, read) if json else rows.render(key, read)
        return 0
    found = why(root, data, key, feature, [*pooled_names(root, data), *names(root, data)])
    if json:
        output.emit_json({"key": key, **as_data(found)})
    elif isinstance(found, SegmentWhy):
        render_segment(key, found)
    else:
        render(key, found)
    return 0


def as_data(found: "Why | SegmentWhy") -> dict[str, Any]:
    """The explanation as plain data; instants as text."""
    return asdict(found) | {"cut_off": output.instant(found.cut_off), "instant": output.instant(found.instant)}


def render(key: str, found: "Why") -> None:
    """Print a line a feature, the one that moved the score most first; scores are log-odds."""
    heading(key, found, f"{found.view}.{found.feature} = {found.probability:.4g}")
    table = _table()
    table.add_row("base", "", f"{found.base:+.3f}")
    for part in found.parts:
        filled = "" if part.stands_for is None else f" (the median, {output.brief(part.stands_for)}, stands for it)"
        table.add_row(part.feature, f"{output.brief(part.value)}{filled}", f"{part.adds:+.3f}")
    table.add_row("score", "", f"{found.score:+.3f}")
    output.console().print(table)


def render_segment(key: str, found: "SegmentWhy") -> None:
    """Print which segment it is and which is next, then a line a feature; squared distances, in scaled units."""
    heading(key, found, f"{found.view}.{found.feature}: segment {found.id} ({found.name})")
    table = _table()
    for part in found.parts:
        named = ", ".join(f"{name} {by:+.3f}" for name, by in part.places)
        value = named or output.brief(part.value)
        table.add_row(part.feature, "null (something stands for it)" if part.missing else value, f"{part.adds:+.3f}")
    table.add_row("together", _against(found), f"{sum(part.adds for part in found.parts):+.3f}")
    output.console().print(table)


def _table() -> "Table":
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2))
    table.add_column()
    table.add_column()
    table.add_column(justify="right")
    return table


def _against(found: "SegmentWhy") -> str:
    near, other = found.nearest, found.other
    here = f"{near.distance:.3f} from segment {near.id}"
    if found.id == 0:
        return f"{here} ({near.name}), which reaches {near.reach or 0:.3f}"
    return here if other is None else f"{here}, {other.distance:.3f} from segment {other.id} ({other.name})"
