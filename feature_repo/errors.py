"""An error that Feast's command line prints as one message: no traceback, exit code 1."""

from collections.abc import Iterator
from contextlib import contextmanager

from click import ClickException

from limner.language.errors import LimnerError


class FeastFacingError(LimnerError, ClickException):
    """A LimnerError to Python callers, a ClickException to `feast`."""

    def __init__(self, message: str) -> None:
        ClickException.__init__(self, message)

    def __str__(self) -> str:
        return str(self.message)


@contextmanager
def facing_feast() -> Iterator[None]:
    """Turn a LimnerError that leaves the block into one that Feast shows well."""
    try:
        yield
    except FeastFacingError:
        raise
    except LimnerError as error:
        raise FeastFacingError(str(error)) from error
