"""When a run looks for online values that are not what the history says: once a day, unless it is told otherwise."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Literal, get_args

from limner.workers.history.files import replace

Checking = Literal["daily", "always", "never"]
CHOICES = get_args(Checking)
DAY = (
    20 * 3_600_000_000
)  # µs: a run at the same hour each night is one of another day, though it begins a little earlier
_FILE = "checked.json"
_ASKED: ContextVar[bool] = ContextVar("limner_check_online", default=False)


@contextmanager
def check_online(*, asked: bool) -> Iterator[None]:
    """Whether runs in this block check whatever the settings say: Feast has no place to hand it through."""
    token = _ASKED.set(asked)
    try:
        yield
    finally:
        _ASKED.reset(token)


def due(folder: Path, when: Checking, now: int) -> bool:
    """Whether online values of which `folder` keeps notes are to be checked now (µs UTC).

    For those that were never checked a day begins: the run that was first wrote them.
    """
    if _ASKED.get() or when == "always":
        return True
    if when == "never":
        return False
    last = _last(folder)
    if last is None:
        checked(folder, now)
    return last is not None and now - last >= DAY


def checked(folder: Path, at: int) -> None:
    """All online values are known to be right as of `at` (µs UTC)."""
    folder.mkdir(parents=True, exist_ok=True)
    replace(folder / _FILE, json.dumps({"at": at}).encode())


def _last(folder: Path) -> int | None:
    try:
        return int(json.loads((folder / _FILE).read_text())["at"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
