"""`limner skew`: whether what is online is what a run would compute."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from limner.workers.stream.skew import Skew

_SEEDS = 2**31


def skew(
    views: Annotated[
        list[str] | None, typer.Argument(metavar="[VIEW]...", help="Default: all that are online.")
    ] = None,
    sample: Annotated[int, typer.Option("--sample", "-n", min=1, help="Entities of each view.")] = 1000,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, max=_SEEDS, help="Chooses the entities; by default others each time.")
    ] = None,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Compare online values with values computed anew from the files; exit code 1 where they differ."""
    chosen = secrets.randbelow(_SEEDS) if seed is None else seed
    found = compared(project.find(project_folder), views or [], sample, chosen)
    if json:
        output.emit_json([{"view": each.view, "seed": chosen, **_json(each)} for each in found])
    else:
        render(found, chosen)
    return 0 if all(each.agrees for each in found) else 1


def _json(found: "Skew") -> dict[str, Any]:
    from limner.workers.sources.instants import datetime_of

    told = {"entities": 0, "missing": 0, "strange": 0, "features": {}, "examples": {}} | found.differences.to_json()
    del told["rows"]
    return {"at": datetime_of(found.at).isoformat(), **told}


def render(found: "list[Skew]", seed: int) -> None:
    """Print a line a view and, where values differ, a table of features with an example each."""
    from rich.markup import escape
    from rich.table import Table

    from limner.workers.differences import pair

    console = output.console()
    for each in found:
        told, as_of = each.differences, output.instant(each.at)
        if told.none:
            console.print(f"{each.view}: {told.compared:,} entities agree, as of {as_of}", markup=False)
            continue
        line = f"{each.view}: {told.entities:,} of {told.compared:,} entities differ, as of {as_of} (--seed {seed})"
        console.print(line, markup=False)
        table = Table(box=None, padding=(0, 2, 0, 2), header_style="bold")
        for name in ("feature", "entities", "share", "for example", "online", "computed"):
            table.add_column(name, justify="right" if name in ("entities", "share") else "left")
        words = {"missing": "not online", "strange": "not known"}
        for name, count in told.counts.items():
            example = told.examples[name]
            entity = ", ".join(f"{key} {value}" for key, value in example.entity.items())
            whole = name not in told.features
            values = ("-", "-") if whole else tuple(map(output.brief, pair(example.found, example.right)))
            label = words[name] if whole else name
            row = (label, f"{count:,}", f"{100 * count / told.compared:.3g} %", entity, *values)
            table.add_row(*map(escape, row))
        console.print(table)


def compared(root: Path, views: list[str], sample: int, seed: int) -> "list[Skew]":
    """The differences of each view. LimnerError for a view that is not served, or has no online values."""
    from limner.language.closure import from_closure
    from limner.language.errors import LimnerError
    from limner.workers.history.served import pointers
    from limner.workers.history.version import read_version
    from limner.workers.ledger import Ledger
    from limner.workers.online.locate import online_place
    from limner.workers.plan import plan_view
    from limner.workers.running import running
    from limner.workers.stream.skew import skew as skew_of
    from limner.workers.tasks import InProcess

    settings = project.settings(root)
    served = pointers(settings.data / "history")
    ledger, found = Ledger(settings.ledger), []
    try:
        with running(settings, ledger, InProcess, "skew", views or sorted(served)) as run:
            for name in views or sorted(served):
                if name not in served:
                    raise LimnerError(f"view {name!r} is not served; there is {', '.join(sorted(served)) or 'none'}")
                version = read_version(settings.data / "history" / name / served[name].fingerprint)
                specs = from_closure(version.closure) if version is not None else None
                if specs is not None and specs.views[name].online:
                    plan = plan_view(specs, name, root, settings.data)
                    found.append(skew_of(plan, online_place(root), run.context, sample, seed))
                elif views:
                    raise LimnerError(f"view {name!r} has no online values (`online: false`)")
            run.summary.update({each.view: {"seed": seed, **_json(each)} for each in found})
    finally:
        ledger.close()
    return found
