"""Processes known by id and start time: a reused id is never mistaken for the one that was started."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process of this machine; `started` is its start time in clock ticks since boot."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """Return the running process with this id, None if there is none (a zombie has ended)."""
        fields = stat_fields(pid)
        return None if fields is None or fields[0] in ("Z", "X") else cls(pid, int(fields[19]))

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Process.of(self.pid) == self

    def children(self) -> list["Process"]:
        """Return its direct children."""
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                fields = stat_fields(int(folder.name))
                if fields is not None and int(fields[1]) == self.pid and (child := Process.of(int(folder.name))):
                    found.append(child)
        return found

    def signal(self, number: signal.Signals) -> None:
        """Send a signal if it still runs."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait(self, seconds: float) -> bool:
        """Wait for its end; False if it still runs after `seconds`."""

        def ended() -> bool:
            reap(self.pid)
            return not self.alive()

        return wait_until(ended, seconds)


def stat_fields(pid: int) -> list[str] | None:
    """Return /proc/PID/stat from the state on (the name may hold spaces); None without such a process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()


def reap(pid: int) -> None:
    """Collect a child of ours that has ended, lest it stay a zombie; other processes are left alone."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def wait_until(condition: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
    """Ask until `condition` holds; False if it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
