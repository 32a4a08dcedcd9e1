"""One writer a view: an advisory lock that the operating system drops when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from limner.language.errors import LimnerError


@contextmanager
def view_lock(folder: Path, doing: str = "materialized") -> Iterator[None]:
    """Hold the view's lock; LimnerError at once if another process has it, which says what is being done."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            raise LimnerError(
                f"{folder.name} is being {doing} by process {holder}; wait until it ends, then run this again"
            ) from None
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)
