"""Feast's own command line, run in this process: the code of `feast ...`, with our progress beside it."""

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from limner.cli import project
from limner.language.errors import LimnerError


def run(root: Path, arguments: Sequence[str]) -> None:
    """Run `feast ARGUMENTS` on the project's feature repository.

    Raises LimnerError with Feast's message where Feast refuses. The working directory stays.
    """
    repo = project.feature_repo(root)
    with quiet(), _same_working_directory(), translated():
        from feast.cli.cli import cli

        try:
            cli.main(
                args=["--chdir", str(repo), "--log-level", "error", *arguments],
                prog_name="feast",
                standalone_mode=False,
            )
        except SystemExit as error:
            if error.code:
                raise LimnerError(f"feast {arguments[0]} ended with exit code {error.code}") from error


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
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


@contextmanager
def _same_working_directory() -> Iterator[None]:
    """Undo what Feast does to the working directory."""
    before = Path.cwd()
    try:
        yield
    finally:
        os.chdir(before)
