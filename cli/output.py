"""Printing: results on stdout, progress and errors on stderr, JSON alone where it is asked for."""

import json
import math
import sys
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

LONG_LIST = 8


@cache
def console() -> "Console":
    """Return the console for results; a log or a pipe gets 120 columns instead of a guessed terminal."""
    return _console(to_stderr=False)


@cache
def side_console() -> "Console":
    """Return the console for what is not the result: progress, notes."""
    return _console(to_stderr=True)


def _console(*, to_stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if to_stderr else sys.stdout
    return Console(stderr=to_stderr, width=None if stream.isatty() else 120, highlight=False)


def emit_json(value: Any) -> None:
    """Write one JSON document on stdout. Instants become ISO 8601 UTC; NaN and infinities null."""
    sys.stdout.write(json.dumps(_plain(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n")


def error(message: str) -> None:
    """Write one error on stderr, as it is: no wrapping, so that paths and commands can be copied."""
    label = "\x1b[31merror:\x1b[0m" if sys.stderr.isatty() else "error:"
    sys.stderr.write(f"{label} {message}\n")


def instant(micros: int | None) -> str:
    """Render µs since 1970 UTC as people read it, to the second (or as exactly as it needs)."""
    if micros is None:
        return "-"
    moment = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
    return moment.isoformat(sep=" ").replace("+00:00", "Z")


def size(count: float) -> str:
    """Render bytes as people read them: 512 B, 1.4 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def brief(value: Any) -> str:
    """Render a feature value for people: vectors by their first numbers, floats to six digits."""
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.6g}"
        case datetime():
            return value.isoformat(sep=" ").replace("+00:00", "Z")
        case dict():
            value = [f"{key} {brief(item)}" for key, item in value.items()]
    items = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(items, (list, tuple)):
        if len(items) > LONG_LIST and all(isinstance(item, float) for item in items):
            return f"[{', '.join(f'{item:.4f}' for item in items[:4])}, … {len(items)} numbers]"
        return ", ".join(brief(item) for item in items) or "-"
    return str(value)


def _plain(value: Any) -> Any:
    """Reduce to what JSON has."""
    match value:
        case dict():
            plain: Any = {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            plain = [_plain(item) for item in value]
        case datetime() | date():
            plain = value.isoformat().replace("+00:00", "Z")
        case float() if not math.isfinite(value):
            plain = None
        case str() | int() | float() | None:
            plain = value
        case _ if hasattr(value, "tolist"):  # NumPy arrays and scalars
            plain = _plain(value.tolist())
        case _:
            plain = str(value)
    return plain


def note(message: str) -> None:
    """Write a line that is no result on stderr, as it is."""
    sys.stderr.write(f"{message}\n")
    sys.stderr.flush()
