"""Where a source's events are written: one of its paths."""

from pathlib import Path

from limner.language.formats import file_format
from limner.language.models import Source


def event_path(source: Source, root: Path) -> tuple[str, Path] | None:
    """The path as it is written, and its folder: a folder, or a glob of all files in one; None without such a path.

    Where paths tell formats, it is one of JSON Lines.
    """
    told = [] if source.format else [path for path in source.paths if file_format(path) == "jsonl"]
    for path in told or source.paths:
        whole = root / path
        if whole.is_dir() or path.endswith("/"):
            return path, whole
        if whole.name in ("*.jsonl", "*") and not set("*?[") & set(str(whole.parent)):
            return path, whole.parent
    return None
