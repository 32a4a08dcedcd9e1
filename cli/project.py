"""Where the project is: the folder that holds feature_repo/feature_store.yaml and specs/."""

from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.settings import EngineSettings

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
        raise LimnerError(f"{folder} is no Limner project: it has no {MARK}. Make one with: limner init {named}")
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


def settings(root: Path) -> "EngineSettings":
    """Return the `batch_engine` section of feature_store.yaml, read without importing Feast."""
    import yaml

    from limner.workers.settings import EngineSettings

    path = root / MARK
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise LimnerError(f"cannot read {path}: {error}") from error
    found = document.get("batch_engine") if isinstance(document, dict) else None
    return EngineSettings.from_mapping(found if isinstance(found, dict) else {}, path.parent)
