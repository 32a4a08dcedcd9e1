"""docs/benchmarks.md from reports: the figures on the page are those of one run, and nobody types them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from limner.benchmarks.figures import figure

Json = Mapping[str, Any]

_TOP = """# Benchmarks

Written by `limner bench page benchmarks/baseline` from the reports there: each is what its command printed, on the
machine below, alone on it. `make bench` repeats those that need no options, and holds their ratios to these.

Contenders of one command take turns in one run. A figure is the median of the rounds, with the least and the most
beside it; a ratio is the median of the rounds' own ratios. How to read the rows of each, and what was tried:
[performance](performance.md). A billion events: [scale](scale.md).
"""


def page(reports: Sequence[Json]) -> str:
    """Markdown for reports (as JSON), in their order; each says its machine where that is not the first one's."""
    parts = [_TOP]
    first = reports[0] if reports else None
    if first is not None:
        parts.append(_machine(first))
    parts += [_section(report, first) for report in reports]
    return "\n".join(parts)


def _machine(report: Json) -> str:
    machine, versions = report["machine"], report["versions"]
    told = f"{machine['cores']} cores of {machine['processor']} ({', '.join(machine['instructions'])}), "
    told += f"{machine['memory_gigabytes']:g} GB, {machine['gpu'] or 'no GPU'}"
    return f"Machine: {told}.\n\nVersions: {', '.join(f'{name} {each}' for name, each in versions.items())}.\n"


def _section(report: Json, first: Json | None) -> str:
    setting = ", ".join(f"{name.replace('_', ' ')} {_said(value)}" for name, value in report["setting"].items())
    lines = [f"## {report['benchmark']}: {setting}", "", f"`{report['command']}` took {report['seconds']:,.0f} s.", ""]
    if first is not None and report["machine"] != first["machine"]:
        lines += [_machine(report)]
    if report["ratios"]:
        lines += _table(("ratio", "median", "least to most", "target"), map(_ratio, report["ratios"]))
    if report["measured"]:
        lines += _table(("measured", "median", "", "least to most"), map(_measured, report["measured"]))
    lines += [line for note in report["notes"] for line in (_escaped(note), "")]
    return "\n".join(lines)


def _ratio(row: Json) -> tuple[str, ...]:
    target = ""
    if row["target"] is not None:
        bound = "at least" if row["better"] == "more" else "at most"
        target = f"{bound} {figure(row['target'])}: {'met' if row['met'] else '**missed**'}"
    return row["name"], f"**{figure(row['value'])}**", _spread(row), target


def _measured(row: Json) -> tuple[str, ...]:
    return row["name"], figure(row["value"]), row["unit"], _spread(row)


def _spread(row: Json) -> str:
    return f"{figure(row['low'])} to {figure(row['high'])} in {row['rounds']}" if row["rounds"] > 1 else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"| {' | '.join('---' for _ in head)} |"]
    return [*lines, *(f"| {' | '.join(map(_escaped, row))} |" for row in rows), ""]


def _said(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " and ".join(map(_said, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
