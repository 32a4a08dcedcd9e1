"""Feast's own command line, run in this process: the code of `feast ...`, with our progress beside it."""

import io
import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from limner.cli import light_feast, project
from limner.language.errors import LimnerError

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def run(root: Path, arguments: Sequence[str]) -> list[str]:
    """Run `feast ARGUMENTS` on the project's feature repository; return what it printed, without colours.

    Raises LimnerError with Feast's message where Feast refuses. The working directory stays.
    """
    repo = project.feature_repo(root)
    said = io.StringIO()
    with quiet(), same_place(repo), redirect_stdout(said), translated():
        from feast.cli.cli import cli

        line = ["--chdir", str(repo), "--log-level", "error", *arguments]
        try:
            cli.main(args=line, prog_name="feast", standalone_mode=False)
        except SystemExit as error:
            if error.code:
                raise LimnerError(said.getvalue() or f"feast {arguments[0]}: exit code {error.code}") from error
    return [text for text in _COLOUR.sub("", said.getvalue()).splitlines() if text.strip()]


@contextmanager
def translated() -> Iterator[None]:
    """Turn what Feast means for its users into LimnerError; what it does not (bugs) passes."""
    import click
    from feast.errors import FeastError

    try:
        yield
    except LimnerError:
        raise  # ours, by way of Feast
    except click.ClickException as error:
        raise LimnerError(error.format_message()) from error
    except FeastError as error:
        raise LimnerError(str(error)) from error
    except click.Abort:
        raise KeyboardInterrupt from None


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings for a block: Feast and what it imports warn about themselves, not about specs."""
    logger = logging.getLogger("feast")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        light_feast.load()  # it puts filters of its own before ours when it is first imported
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


@contextmanager
def same_place(repo: Path) -> Iterator[None]:
    """Undo what Feast does to the working directory and to where modules are looked for, and forget those of `repo`:
    another project has its own.
    """
    before, paths = Path.cwd(), [*sys.path]
    try:
        yield
    finally:
        os.chdir(before)
        sys.path[:] = paths
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if file and Path(file).is_relative_to(repo):
                del sys.modules[name]
