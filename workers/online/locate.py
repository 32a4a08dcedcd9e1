"""Where a project keeps its online values, read from feature_store.yaml without Feast."""

import os
from pathlib import Path

from limner.language.errors import LimnerError

STORE_TYPE = "limner.feature_repo.online_store.LimnerOnlineStore"
DEFAULT_PATH = "../data/online.db"  # relative to the folder of feature_store.yaml


def repository(path: Path) -> Path | None:
    """The folder of feature_store.yaml of the project at `path` (its root or that folder); None for a file."""
    if path.suffix == ".db" or path.is_file():
        return None
    folders = (path / "feature_repo", path)
    return next((folder for folder in folders if (folder / "feature_store.yaml").is_file()), None)


def online_path(path: Path) -> Path:
    """The SQLite file of the project at `path` (its root, its feature_repo folder, or the file itself)."""
    if path.suffix == ".db" or path.is_file():
        return path
    folder = repository(path)
    if folder is not None:
        return _configured(folder)
    raise LimnerError(
        f"{path.absolute()} is not a Limner project: it has no feature_repo/feature_store.yaml "
        "(`limner init` makes one)"
    )


def _configured(folder: Path) -> Path:
    import yaml

    text = os.path.expandvars((folder / "feature_store.yaml").read_text())
    config = (yaml.safe_load(text) or {}).get("online_store") or {}
    kind = config.get("type") if isinstance(config, dict) else config
    if kind != STORE_TYPE:
        raise LimnerError(
            f"the online store of this project is {kind!r}, which only Feast reads: use feast.FeatureStore, "
            f"or set online_store.type to {STORE_TYPE} in {folder / 'feature_store.yaml'}"
        )
    return folder / str(config.get("path", DEFAULT_PATH))
