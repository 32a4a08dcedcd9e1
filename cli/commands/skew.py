"""`limner skew`: whether what is online is what a run would compute."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import output, project
from limner.cli.options import JsonOption, ProjectOption

if TYPE_CHECKING:
    from limner.workers.stream.skew import Skew


def skew(
    views: Annotated[
        list[str] | None, typer.Argument(metavar="[VIEW]...", help="Default: all that are served.")
    ] = None,
    sample: Annotated[int, typer.Option("--sample", "-n", min=1, help="Entities of each view.")] = 1000,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Compare online values with values computed anew from the files; exit code 1 where they differ."""
    from limner.workers.sources.instants import datetime_of

    found = compared(project.find(project_folder), views or [], sample)
    rows = [
        {
            "view": each.view,
            "at": datetime_of(each.at).isoformat(),
            "compared": each.compared,
            "missing": each.missing,
            "strange": each.strange,
            "features": dict(sorted(each.features.items())),
        }
        for each in found
    ]
    if json:
        output.emit_json(rows)
    else:
        for each in found:
            told = [f"{name}: {count:,}" for name, count in sorted(each.features.items())]
            told += [f"not online: {each.missing:,}"] * bool(each.missing)
            told += [f"not known: {each.strange:,}"] * bool(each.strange)
            words = f"differ in {', '.join(told)}" if told else "agree"
            output.console().print(f"{each.view}: {each.compared:,} entities {words}", markup=False)
    return 0 if all(each.agrees for each in found) else 1


def compared(root: Path, views: list[str], sample: int) -> "list[Skew]":
    """The differences of each view. LimnerError for a view that is not served."""
    from limner.language.closure import from_closure
    from limner.language.errors import LimnerError
    from limner.workers.context import RunContext
    from limner.workers.history.served import pointers
    from limner.workers.history.version import read_version
    from limner.workers.ledger import Ledger
    from limner.workers.online.locate import online_place
    from limner.workers.plan import plan_view
    from limner.workers.report import silent
    from limner.workers.stream.skew import skew as skew_of
    from limner.workers.tasks import InProcess
    from limner.workers.text.encode import encode_with

    settings = project.settings(root)
    served = pointers(settings.data / "history")
    ledger, found = Ledger(settings.ledger), []
    run_id = ledger.start_run("skew", views or sorted(served))
    try:
        encode = partial(encode_with, settings.triton)
        context = RunContext(InProcess(), encode, silent, ledger, run_id, 1, settings.memory_limit)
        for name in views or sorted(served):
            if name not in served:
                raise LimnerError(f"view {name!r} is not served; there is {', '.join(sorted(served)) or 'none'}")
            version = read_version(settings.data / "history" / name / served[name].fingerprint)
            specs = from_closure(version.closure) if version is not None else None
            if specs is not None and not specs.views[name].views and specs.views[name].online:
                plan = plan_view(specs, name, root, settings.data)
                found.append(skew_of(plan, online_place(root), context, sample))
    except BaseException as error:
        ledger.finish_run(run_id, "failed", str(error))
        raise
    else:
        ledger.finish_run(run_id, "done", summary={each.view: dict(each.features) for each in found})
    finally:
        ledger.close()
    return found
