"""`limner simulate FOLDER`: a project of shoppers with hidden interests, moods and lives, which works at once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli import output
from limner.cli.commands.init import create
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.simulate.options import Options


def simulate(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The new project's folder.", show_default=False)],
    shoppers: Annotated[int, typer.Option(help="Shoppers.")] = 1_000,
    events: Annotated[int, typer.Option(help="Events, over all shoppers.")] = 100_000,
    days: Annotated[int, typer.Option(help="Days of UTC.")] = 365,
    begin: Annotated[str, typer.Option(metavar="DAY", help="The first day.")] = "2025-01-01",
    language: Annotated[str, typer.Option(metavar="en|zh|both", help="Of texts.")] = "both",
    seed: Annotated[int, typer.Option(help="Equal seeds and options give equal bytes.")] = 7,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier simulation in FOLDER.")] = False,
) -> int:
    """Make a project of simulated shoppers in FOLDER: events, specs, and the hidden truth beside them."""
    from limner.simulate.run import MARK, remove
    from limner.simulate.run import simulate as write

    options = _options(shoppers, events, days, begin, language, seed)
    if force and folder.is_dir() and any(folder.iterdir()):
        remove(folder)
    elif (folder / MARK).is_file():
        raise LimnerError(f"{folder} holds a simulation already: name a new folder, or add --force to replace it")
    else:
        create(folder, bare=True)
    with _told(events) as told:
        counts = write(folder, options, told)
    _next(folder, options, counts)
    return 0


def _options(shoppers: int, events: int, days: int, begin: str, language: str, seed: int) -> "Options":
    from limner.simulate.options import Options

    try:
        first = date.fromisoformat(begin)
    except ValueError:
        raise LimnerError(f"--begin {begin!r}: expected a day such as 2025-01-01") from None
    return Options(shoppers, events, days, first, language, seed)  # type: ignore[arg-type]  # it checks the language


@contextmanager
def _told(events: int) -> Iterator[Callable[[int], None]]:
    """Show on a terminal how far it is."""
    console = output.side_console()
    if not console.is_terminal:
        yield lambda _some: None
        return
    from rich.progress import Progress

    with Progress(console=console) as bars:
        task = bars.add_task("events", total=events)
        yield lambda some: bars.advance(task, some)


def _next(folder: Path, options: "Options", counts: dict[str, int]) -> None:
    from datetime import timedelta

    from limner.simulate.run import half

    say = output.console().print
    say(
        f"[green]made[/green] {folder}: {', '.join(f'{number:,} {kind}' for kind, number in counts.items())}",
        soft_wrap=True,
    )
    say("what the shop sees: events/, shoppers, products, coupons, offers; what is true: truth/ (no spec reads it)")
    say("next:")
    last = options.begin + timedelta(days=options.days)
    for line in (
        f"cd {folder}",
        "limner validate",
        *(f"limner fit {model} --as-of {half(options)}" for model in ("sentiment", "likes", "leaving")),
        "feast -c feature_repo apply",
        f"limner materialize {options.begin} {last}",
        "limner get 1",
    ):
        say(f"  {line}", markup=False, soft_wrap=True)
