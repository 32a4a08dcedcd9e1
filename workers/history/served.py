"""Which history of each view is served. One file says it of all views, so that one rename moves any number of them."""

import fcntl
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from limner.language.errors import LimnerError
from limner.workers.history.files import replace
from limner.workers.history.manifest import History

POINTERS = "served.json"
_REMEMBERED = 20  # earlier fingerprints a view


@dataclass(frozen=True)
class Pointer:
    """The fingerprint that readers of a view use, and those they used before it, newest first."""

    fingerprint: str
    earlier: tuple[str, ...] = ()

    def to(self, fingerprint: str) -> "Pointer":
        """The pointer after a switch. Switching to the newest earlier one and back gives what was."""
        if fingerprint == self.fingerprint:
            return self
        before = (self.fingerprint, *(each for each in self.earlier if each != fingerprint))
        return Pointer(fingerprint, before[:_REMEMBERED])


def pointers(histories: Path) -> dict[str, Pointer]:
    """The pointer of every view that has one, all as of one moment. `histories` is the folder of the views' folders."""
    path = histories / POINTERS
    try:
        data = json.loads(path.read_text())
        return {view: Pointer(each["fingerprint"], tuple(each["earlier"])) for view, each in data.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError) as error:
        raise LimnerError(f"{path} cannot be read ({error}); delete it and materialize again") from error


def switch(histories: Path, to: Mapping[str, str]) -> None:
    """Point readers of each view at a fingerprint, all in one step, durably. The histories must be complete."""
    with _writing(histories) as known:
        after = {view: known[view].to(name) if view in known else Pointer(name) for view, name in to.items()}
        _write(histories, known, known | after)


def forget(histories: Path, views: Iterable[str]) -> None:
    """Readers of these views find nothing any more."""
    with _writing(histories) as known:
        gone = set(views)
        _write(histories, known, {view: pointer for view, pointer in known.items() if view not in gone})


def served(view_folder: Path) -> str | None:
    """The fingerprint that readers use; None before the view's first complete run."""
    pointer = pointers(view_folder.parent).get(view_folder.name)
    return None if pointer is None else pointer.fingerprint


def serve(view_folder: Path, fingerprint: str) -> None:
    """Point readers of one view at a fingerprint."""
    switch(view_folder.parent, {view_folder.name: fingerprint})


def served_history(view_folder: Path) -> History | None:
    """The history that readers use; None before the view's first complete run."""
    fingerprint = served(view_folder)
    return None if fingerprint is None else History(view_folder / fingerprint)


@contextmanager
def _writing(histories: Path) -> Iterator[dict[str, Pointer]]:
    """Writers of several views take turns; readers need not wait."""
    histories.mkdir(parents=True, exist_ok=True)
    with (histories / f".{POINTERS}.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield pointers(histories)


def _write(histories: Path, before: Mapping[str, Pointer], after: Mapping[str, Pointer]) -> None:
    if after != before:
        data = {view: {"fingerprint": each.fingerprint, "earlier": each.earlier} for view, each in after.items()}
        replace(histories / POINTERS, json.dumps(data, indent=1, sort_keys=True).encode())
