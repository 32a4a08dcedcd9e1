"""`limner materialize`: Feast's own, with progress; a failure names the command that resumes it."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from limner.cli import output, project, stock_feast
from limner.cli.options import JsonOption, ProjectOption, ViewsOption
from limner.language.errors import LimnerError

INCREMENTAL = "incremental"
INTERRUPTED = 130


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
    check_online: Annotated[
        bool,
        typer.Option(
            "--check-online", help="Look for online values that are not what the history says, and mend them."
        ),
    ] = False,
    project_folder: ProjectOption = None,
    json: JsonOption = False,
) -> int:
    """Compute features over (START, END], or from where they are (`incremental END`).

    Writes the history and the online store, as `feast materialize` and `feast materialize-incremental` do. Once a day
    all online values are looked at (`--check-online`: now), and what somebody else has changed there is put right.
    """
    from limner.workers.online import checking

    root, flags = project.find(project_folder), _flags(views)
    more = [*flags, *["--check-online"] * check_online]
    with checking.check_online(asked=check_online):
        if start == INCREMENTAL:
            until = _iso(end) if end is not None else datetime.now(UTC).isoformat(timespec="seconds")
            code = run(root, ["materialize-incremental", until, *flags], [INCREMENTAL, until, *more])
        else:
            interval = _interval(start, end)
            code = run(root, ["materialize", *interval, *flags], [*interval, *more])
    if json and code == 0:
        from limner.cli.commands.runs import listed

        output.emit_json(listed(root, 1)[0])
    return code


def run(root: Path, arguments: list[str], again: list[str]) -> int:
    """Run stock Feast with our progress on stderr; returns 0, or 130 after Ctrl-C.

    `again` is what to give `limner materialize` to go on: a failure (a LimnerError) and an interrupt end with it.
    """
    from limner.cli.progress import progress
    from limner.workers.report import reporting_to

    resume = (
        f"what is done stays done; resume with:\n  {shlex.join(['limner', '-C', str(root), 'materialize', *again])}"
    )
    try:
        with progress(output.side_console()) as reporter, reporting_to(reporter):
            stock_feast.run(root, arguments)
    except LimnerError as error:
        raise LimnerError(f"{error}\n{resume}") from error
    except KeyboardInterrupt:
        output.error(f"interrupted; {resume}")
        return INTERRUPTED
    return 0


def _interval(start: str, end: str | None) -> list[str]:
    if end is None:
        raise typer.BadParameter("give START and END, or `incremental` and END", param_hint="END")
    first, last = _iso(start), _iso(end)
    if datetime.fromisoformat(first) >= datetime.fromisoformat(last):
        raise typer.BadParameter(f"START {start} is not before END {end}", param_hint="START")
    return [first, last]


def _flags(views: list[str] | None) -> list[str]:
    return [part for view in views or [] for part in ("--views", view)]


def _iso(text: str) -> str:
    """Return the instant in ISO 8601 with its offset; one without an offset is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not an instant: write e.g. 2026-01-31 or 2026-01-31T06:00:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()
