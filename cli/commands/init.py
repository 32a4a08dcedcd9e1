"""`limner init DIR`: a new project that works at once."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated

import typer

from limner.cli import output, project
from limner.language.errors import LimnerError


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The new project's folder.", show_default=False)],
    bare: Annotated[bool, typer.Option("--bare", help="Leave out the example spec and its events.")] = False,
) -> int:
    """Make a new project in DIR: specs, a Feast feature repository, and a small example."""
    create(folder, bare=bare)
    say = output.console().print
    say(f"[green]made[/green] {folder}", soft_wrap=True)
    say("next:")
    say(f"  cd {folder}", markup=False, soft_wrap=True)
    if not bare:
        say("  limner validate")
        say("  limner apply")
        say("  limner materialize 2026-01-01 2026-02-01")
        say("  limner get 1")
    else:
        say("  write specs/*.yaml (`limner schema` gives your editor completion), then: limner validate")
    return 0


def create(folder: Path, *, bare: bool = False) -> None:
    """Write the project's files. Refuses a folder that holds anything, so that nothing is overwritten."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LimnerError(f"{folder} exists and is not an empty folder: name a new one")
    with as_file(files("limner.cli") / "templates" / "project") as template:
        skipped = {"example", "example.yaml"} if bare else set()
        try:
            shutil.copytree(
                template,
                folder,
                dirs_exist_ok=True,
                ignore=lambda _folder, names: [n for n in names if n in skipped],
            )
        except OSError as error:
            raise LimnerError(f"cannot write {folder}: {error}") from error
    # Packaging leaves out files whose names begin with a dot, so the templates spell it.
    for path in sorted(folder.rglob("dot-*")):
        path.rename(path.with_name("." + path.name.removeprefix("dot-")))
    settings = folder / project.MARK
    settings.write_text(settings.read_text(encoding="utf-8").replace("{project}", _name(folder)), encoding="utf-8")


def _name(folder: Path) -> str:
    """Feast takes letters, digits and underscores in a project's name, and no underscore in front."""
    text = "".join(char if char.isascii() and char.isalnum() else "_" for char in folder.resolve().name.lower())
    return text.strip("_") or "limner"
