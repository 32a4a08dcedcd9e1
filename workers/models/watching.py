"""What a training tells in a file, handed on to a run's reporter while it goes on in another process."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from limner.workers.report import Reporter, TuningStep

_LOOK_S = 0.3


@contextmanager
def watching(path: Path, reporter: Reporter) -> Iterator[None]:
    """Report each line of `path`, as it is added, for the length of the block."""
    over = threading.Event()
    thread = threading.Thread(target=_follow, args=(path, reporter, over), name="watching", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _follow(path: Path, reporter: Reporter, over: threading.Event) -> None:
    read = 0
    while True:
        last = over.wait(_LOOK_S)
        if path.is_file():
            whole, _, _ = path.read_text(encoding="utf-8")[read:].rpartition("\n")
            for line in whole.splitlines():
                reporter(_step(line))
            read += len(whole) + 1 if whole else 0
        if last:
            return


def _step(line: str) -> TuningStep:
    said = json.loads(line)
    return TuningStep(
        said["name"], said["texts"], said["step"], said["steps"], said["epoch"], said["loss"], said.get("later_loss"),
        said.get("accuracy"),
    )  # fmt: skip
