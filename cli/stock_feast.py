"""Feast's own command line, run in this process: the code of `feast ...`, with our progress beside it."""

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
    with quiet(), _same_working_directory():
        import click
        from feast.cli.cli import cli

        try:
            cli.main(args=["--chdir", str(repo), *arguments], prog_name="feast", standalone_mode=False)
        except LimnerError:
            raise  # ours says what to do, and needs no prefix
        except click.ClickException as error:
            raise LimnerError(f"feast {arguments[0]}: {error.format_message()}") from error
        except click.Abort:
            raise KeyboardInterrupt from None
        except SystemExit as error:
            if error.code:
                raise LimnerError(f"feast {arguments[0]} ended with exit code {error.code}") from error


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings for a block: Feast and what it imports warn about themselves, not about specs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _same_working_directory() -> Iterator[None]:
    """Undo what Feast does to the working directory."""
    before = Path.cwd()
    try:
        yield
    finally:
        os.chdir(before)
