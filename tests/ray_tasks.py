"""What worker processes run in the tests of the cluster; they must be able to import it."""

import os
import signal
import sys
import time
from pathlib import Path

from limner.language.errors import LimnerError, Problem, SpecError


def square(number: int) -> int:
    """Return the square."""
    return number * number


def process_id(_item: object) -> int:
    """Return the id of the process that runs the task."""
    return os.getpid()


def node_id(_item: object) -> str:
    """Return the node that runs the task, after a while: a task too short would leave the others none."""
    import ray

    time.sleep(0.2)
    return str(ray.get_runtime_context().get_node_id())


def fail(kind: str) -> None:
    """Raise what `kind` names; anything else takes a while."""
    match kind:
        case "limner":
            raise LimnerError("run `limner triton up`")
        case "key":
            raise KeyError("a key")
        case "spec":
            raise SpecError([Problem("a.yaml", 1, 2, "x", "first"), Problem("a.yaml", 3, 4, "y", "second")])
        case "unpicklable":
            raise UnpicklableError("some", "words")
        case _:
            time.sleep(0.2)


def sleep(seconds: float) -> None:
    """Take so long."""
    time.sleep(seconds)


class UnpicklableError(Exception):
    """An exception that cannot be made again from its message."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} {two}")


def die(log: Path) -> None:
    """Die as a process out of memory does, and leave a line."""
    with log.open("a") as lines:
        lines.write("died\n")
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(log: Path) -> str:
    """Die at the first try."""
    if not log.exists():
        die(log)
    return "alive"


def slow(log: Path) -> None:
    """Note that the task began, and take longer than any test waits."""
    with log.open("a") as lines:
        lines.write("began\n")
    time.sleep(600)


def drive_slowly(log: Path) -> None:
    """Be a driver with slow tasks."""
    from limner.workers.cluster import Cluster
    from limner.workers.settings import EngineSettings

    with Cluster(EngineSettings()) as cluster:
        list(cluster.map(slow, [log] * 4))


if __name__ == "__main__":
    drive_slowly(Path(sys.argv[1]))
