"""Where the project is: the folder that holds feature_repo/feature_store.yaml and specs/."""

from contextvars import ContextVar
from pathlib import Path
from typing import Any

from limner.language.errors import LimnerError

MARK = Path("feature_repo/feature_store.yaml")
_chosen: ContextVar[Path | None] = ContextVar("limner_project", default=None)


def choose(folder: Path | None) -> None:
    """Remember the folder given before the command: `limner -C DIR command`."""
    _chosen.set(folder)


def find(given: Path | None = None) -> Path:
    """Return the project's absolute folder: the given, the chosen, or the nearest from here upwards."""
    named = given or _chosen.get()
    if named is not None:
        folder = named.expanduser().resolve()
        if (folder / MARK).is_file():
            return folder
        raise LimnerError(
            f"{folder} is no Limner project: it has no {MARK}. Make one with: limner init {named}"
        )
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / MARK).is_file():
            return folder
    raise LimnerError(
        f"no Limner project here: neither {here} nor a folder above it has {MARK}. "
        "Make one with `limner init DIR`, or name one with `limner -C DIR ...`"
    )


def feature_repo(root: Path) -> Path:
    """Return the folder that stock `feast` is pointed at."""
    return root / MARK.parent


def section(root: Path, name: str) -> dict[str, Any]:
    """Return one section of feature_store.yaml, read without importing Feast; {} where it is missing."""
    import yaml

    path = root / MARK
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LimnerError(f"cannot read {path}: {error}") from error
    if not isinstance(document, dict):
        raise LimnerError(f"{path} must be a mapping, found {type(document).__name__}")
    found = document.get(name) or {}
    if not isinstance(found, dict):
        raise LimnerError(f"{path}: {name} must be a mapping, found {type(found).__name__}")
    return found
