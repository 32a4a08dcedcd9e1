"""Whether the process that started a run still lives: a killed run cannot say that it was killed."""

import os
import platform
from pathlib import Path


def this_process() -> str:
    """Name this process so that no later one has the same name."""
    return f"{_machine()} {os.getpid()} {_born(os.getpid())}"


def is_dead(process: str) -> bool:
    """Whether `process` has ended for certain. Of another machine nothing is certain."""
    machine, _, rest = process.partition(" ")
    pid, _, born = rest.partition(" ")
    return machine == _machine() and pid.isdigit() and _born(int(pid)) != born


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return f"{platform.node()}/{boot.read_text().strip()[:8] if boot.exists() else ''}"


def _born(pid: int) -> str:
    """Return the clock tick at which a process started; nothing if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return stat.rpartition(")")[2].split()[19]
