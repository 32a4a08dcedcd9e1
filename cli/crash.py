"""A bug of ours: the traceback goes to a file, and the user learns where it is and what to do with it."""

import platform
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def record_crash(error: BaseException, arguments: Sequence[str]) -> str:
    """Write a crash report into the temporary folder and return the message that points at it."""
    moment = datetime.now(UTC)
    report = "\n".join(
        [
            f"limner {_version('limner')}, feast {_version('feast')}, ray {_version('ray')}",
            f"Python {sys.version.split()[0]} on {platform.platform()}",
            f"{moment.isoformat()}  limner {' '.join(arguments)}",
            "",
            "".join(traceback.format_exception(error)),
        ]
    )
    path = Path(tempfile.gettempdir()) / f"limner-crash-{moment:%Y%m%dT%H%M%S%f}.log"
    try:
        path.write_text(report, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return f"this is a bug in limner, and its report could not be written to {path}:\n{report}"
    return (
        f"this is a bug in limner ({type(error).__name__}: {error}).\n"
        f"The traceback is in {path}. Please report it with that file (look for private data first)."
    )


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
