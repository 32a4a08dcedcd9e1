"""One writer a view: an advisory lock that the operating system drops when its holder dies."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from limner.language.errors import LimnerError

_MOMENT = "for a moment"
_PATIENCE = 30.0  # seconds
_POLL = 0.01


@contextmanager
def view_lock(folder: Path, doing: str = "materialized", *, moment: bool = False) -> Iterator[None]:
    """Hold the view's lock; LimnerError at once if another process has it, which says what is being done.

    One that is held for a `moment` is waited for by the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as handle:
        _acquire(handle, folder, doing)
        handle.truncate(0)
        handle.write(f"{os.getpid()} {_MOMENT}" if moment else str(os.getpid()))
        handle.flush()
        try:
            yield
        finally:
            handle.truncate(0)


def _acquire(handle: IO[str], folder: Path, doing: str) -> None:
    begun = time.monotonic()
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            handle.seek(0)
            holder = handle.read().strip()
        # It says nothing while it is taken or given back.
        patience = _PATIENCE if holder.endswith(_MOMENT) else 0.0 if holder else 10 * _POLL
        if time.monotonic() - begun >= patience:
            raise LimnerError(
                f"{folder.name} is being {doing} by process {holder or 'unknown'}; wait until it ends, "
                "then run this again"
            ) from None
        time.sleep(_POLL)
