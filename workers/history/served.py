"""Which history of a view is served. Readers move from one fingerprint to the next in one rename."""

import json
from pathlib import Path

from limner.workers.history.files import replace
from limner.workers.history.manifest import History

POINTER = "served.json"


def served(view_folder: Path) -> str | None:
    """The fingerprint that readers use; None before the view's first complete run."""
    try:
        return str(json.loads((view_folder / POINTER).read_text())["fingerprint"])
    except FileNotFoundError:
        return None


def serve(view_folder: Path, fingerprint: str) -> None:
    """Point readers at a fingerprint, durably. Its history must be complete."""
    if served(view_folder) != fingerprint:
        replace(view_folder / POINTER, json.dumps({"fingerprint": fingerprint}).encode())


def served_history(view_folder: Path) -> History | None:
    """The history that readers use; None before the view's first complete run."""
    fingerprint = served(view_folder)
    return None if fingerprint is None else History(view_folder / fingerprint)
