"""`limner evaluate NAME`: what a version of a model is worth on what came after it learned."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from limner.workers.evaluation.versions.asked import Told
    from limner.workers.evaluation.versions.run import Evaluated


def evaluate(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model of the specs.", show_default=False)],
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="ID", help="A version, or how its ID begins. Default: the last one."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every version of the definition as it is.")] = False,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="T", help="Look at nothing known later. Default: now.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The report. Default: report.html in its folder.")
    ] = None,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Measure a version on what came after its cut-off, beside baselines, and write a report in one HTML file.

    A version that does not beat its baselines is said not to; that is no failure.
    """
    from limner.cli.progress import progress
    from limner.language.durations import micros_of, parse_instant
    from limner.workers.evaluation.versions.run import evaluate_model

    if version is not None and every:
        raise typer.BadParameter(
            "is for one version, and --all is for every one: give one of them", param_hint="--version"
        )
    root = project.find(project_folder)
    try:
        known_by = micros_of(datetime.now(UTC)) if as_of is None else parse_instant(as_of)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from None
    with progress(output.side_console()) as reporter:
        found = evaluate_model(
            root, project.settings(root), name, reporter, known_by=known_by, version=version, every=every, out=out
        )
    if json:
        output.emit_json([as_data(each) for each in found])
    else:
        for each in found:
            render(each)
    return 0


def as_data(found: "Evaluated") -> dict[str, Any]:
    """A version's evaluation as plain data; `evaluation` is null where `why_not` says why."""
    head = {
        "model": found.version.model,
        "version": found.version.id,
        "kind": found.version.kind,
        "cut_off": output.instant(found.version.cut_off),
        "why_not": found.why_not or None,
        "report": None if found.report is None else str(found.report),
    }
    told = found.told
    if told is None:
        return head | {"evaluation": None}
    evaluation = told.evaluation
    confusion = evaluation.confusion
    return head | {
        "measured_on": told.basis,
        "question": told.question,
        "facts": dict(told.facts),
        "notes": list(told.notes),
        "evaluation": evaluation.comparison.to_json(),
        "confusion": None
        if confusion is None
        else {"classes": list(confusion.names), "rows": confusion.counts.tolist()},
        "drift": [{"month": d.period, "rows": d.rows, "mean": d.mean, "index": d.index} for d in told.drift],
        "contributions": [{"feature": c.feature, "size": c.size, "mean": c.mean} for c in told.contributions],
    }


def render(found: "Evaluated") -> None:
    """Print what one version is worth: the verdict, the measures beside the baselines', the drift."""
    say = output.console().print
    version, told = found.version, found.told
    say(f"{version.model} · version {version.id} · cut-off {output.instant(version.cut_off)}", soft_wrap=True)
    if told is None:
        say(f"  not measured: {found.why_not}", markup=False, soft_wrap=True)
        return
    from limner.workers.evaluation.report import verdict

    for line in (verdict(told.evaluation.comparison), *_basis(told), *told.notes):
        say(f"  {line}", markup=False, soft_wrap=True)
    say(_table(told))
    if told.drift:
        last = told.drift[-1]
        most = max(told.drift, key=lambda each: each.index)
        say(f"  drift of the score: {last.index:.2f} in {last.period}, at most {most.index:.2f} in {most.period}")
    if told.contributions:
        best = ", ".join(f"{each.feature} ({each.size:.2g})" for each in told.contributions[:3])
        say(f"  moves the score most: {best}", markup=False, soft_wrap=True)
    say(f"  report: {found.report}", markup=False, soft_wrap=True)


def _basis(told: "Told") -> list[str]:
    return [f"{key}: {said}" for key, said in told.facts.items() if key in {"learned from", "measured on"}]


def _table(told: "Told") -> Any:
    from rich.markup import escape
    from rich.table import Table

    from limner.workers.evaluation.report import figure, interval

    comparison = told.evaluation.comparison
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("  measure")
    for name in comparison.intervals:
        table.add_column(escape(name))
    for measure in comparison.measures:
        cells = [f"  {escape(measure.name)}"]
        for name, each in comparison.intervals.items():
            found = each[measure.name]
            cell = figure(found)
            if name == comparison.model:
                cell += f" ({interval(found)})"
            else:
                cell += f"  {comparison.differences[name][measure.name].verdict}"
            cells.append(cell)
        table.add_row(*cells)
    return table
