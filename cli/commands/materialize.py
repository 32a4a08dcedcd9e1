"""`limner materialize`: Feast's own, with progress; a failure names the command that resumes it."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from limner.cli import output, project, stock_feast
from limner.cli.options import ProjectOption, ViewsOption
from limner.language.errors import LimnerError

INCREMENTAL = "incremental"


def materialize(
    start: Annotated[
        str,
        typer.Argument(
            metavar="START|incremental", help="An instant such as 2026-01-31 or 2026-01-31T06:00:00Z (UTC)."
        ),
    ],
    end: Annotated[
        str | None,
        typer.Argument(metavar="END", help="The instant to be complete up to. Default after `incremental`: now."),
    ] = None,
    views: ViewsOption = None,
    project_folder: ProjectOption = None,
) -> int:
    """Compute features over (START, END], or from where they are (`incremental END`).

    Writes the history and the online store, as `feast materialize` and `feast materialize-incremental` do.
    """
    root = project.find(project_folder)
    if start == INCREMENTAL:
        until = _iso(end) if end is not None else datetime.now(UTC).isoformat(timespec="seconds")
        run(
            root,
            ["materialize-incremental", until, *_flags(views)],
            resume=[INCREMENTAL, until, *_flags(views)],
        )
        return 0
    if end is None:
        raise typer.BadParameter("give START and END, or `incremental` and END", param_hint="END")
    first, last = _iso(start), _iso(end)
    if datetime.fromisoformat(first) >= datetime.fromisoformat(last):
        raise typer.BadParameter(f"START {start} is not before END {end}", param_hint="START")
    run(root, ["materialize", first, last, *_flags(views)], resume=[first, last, *_flags(views)])
    return 0


def run(root: Path, arguments: list[str], *, resume: list[str]) -> None:
    """Run stock Feast with our progress on stderr. A failure carries the exact command that resumes it."""
    from limner.cli.progress import progress
    from limner.workers.report import reporting_to

    command = shlex.join(["limner", "-C", str(root), "materialize", *resume])
    try:
        with progress(output.side_console()) as reporter, reporting_to(reporter):
            stock_feast.run(root, arguments)
    except LimnerError as error:
        raise LimnerError(f"{error}\nwhat is done stays done; resume with:\n  {command}") from error
    except KeyboardInterrupt:
        output.error(f"interrupted; what is done stays done; resume with:\n  {command}")
        raise


def _flags(views: list[str] | None) -> list[str]:
    return [part for view in views or [] for part in ("--views", view)]


def _iso(text: str) -> str:
    """Return the instant in ISO 8601 with its offset; one without an offset is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an instant: write e.g. 2026-01-31 or 2026-01-31T06:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
