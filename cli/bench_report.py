"""A benchmark's report for people, and for programs."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.benchmarks.figures import figure
from limner.cli import output
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.benchmarks.report import Report


def command(name: str, options: Mapping[str, Any]) -> str:
    """The command that repeats a run: every option, defaults too, as the defaults may change."""
    words = ["limner bench", name]
    for option, value in options.items():
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{option.replace('_', '-')}")
        elif value is not None:
            words.append(f"--{option.replace('_', '-')} {value}")
    return " ".join(words)


def show(report: "Report") -> None:
    """Print what was measured, then the ratios; a missed target stands out."""
    from rich.table import Table

    console = output.console()
    setting = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in report.setting.items())
    console.print(f"[bold]{report.benchmark}[/bold] · {setting} · {report.seconds:.0f} s", soft_wrap=True)
    table = Table(show_header=False, box=None, padding=(0, 2))
    for column in ("left", "right", "left", "left"):
        table.add_column(justify=column)
    for each in report.measured:
        spread = f"{figure(each.low)} to {figure(each.high)} in {each.rounds} rounds" if each.rounds > 1 else ""
        table.add_row(each.name, figure(each.value), each.unit, spread)
    for ratio in report.ratios:
        spread = f"{figure(ratio.low)} to {figure(ratio.high)}" if ratio.rounds > 1 else ""
        table.add_row(ratio.name, f"[bold]{figure(ratio.value)}[/bold]", "x", f"{spread}{_target(ratio)}")
    console.print(table)
    for note in report.notes:
        console.print(f"  {note}", markup=False)


def write(report: "Report", path: Path) -> None:
    """Write the report as JSON; `-` is stdout. LimnerError where it cannot be written."""
    if str(path) == "-":
        output.emit_json(report.to_json())
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise LimnerError(f"cannot write {path}: {error}") from error


def _target(ratio: Any) -> str:
    if ratio.target is None:
        return ""
    bound = "at least" if ratio.better == "more" else "at most"
    mark = "[green]met[/green]" if ratio.met else "[red]missed[/red]"
    return f"  {mark}: {bound} {figure(ratio.target)}"
