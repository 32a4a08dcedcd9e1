"""Where a project keeps its online values, read from feature_store.yaml without Feast."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.language.errors import LimnerError
from limner.workers.environment import mask

STORE_TYPE = "limner.feature_repo.online_store.LimnerOnlineStore"
REDIS_TYPE = "limner.feature_repo.online_store.LimnerRedisOnlineStore"
DEFAULT_PATH = "../data/online.db"  # relative to the folder of feature_store.yaml
DEFAULT_URL = "redis://127.0.0.1:6379/0"


@dataclass(frozen=True)
class RedisPlace:
    """A Redis or Valkey server (`redis://`, `rediss://` or `unix://`), and what the names of our keys begin with."""

    url: str
    prefix: str

    @classmethod
    def of(cls, url: str, prefix: str | None, project: str) -> "RedisPlace":
        """Of a project: without a prefix of its own, the project's name tells its keys from other projects'."""
        return cls(url, prefix or f"limner:{project}")

    def __str__(self) -> str:
        """Without the password."""
        return f"{mask(self.url)} ({self.prefix}:*)"


Place = Path | RedisPlace


def repository(path: Path) -> Path | None:
    """The folder of feature_store.yaml of the project at `path` (its root or that folder); None for a file."""
    if path.suffix == ".db" or path.is_file():
        return None
    folders = (path / "feature_repo", path)
    return next((folder for folder in folders if (folder / "feature_store.yaml").is_file()), None)


def online_place(path: Path) -> Place:
    """The online values of the project at `path` (its root, its feature_repo folder, or an SQLite file itself)."""
    if path.suffix == ".db" or path.is_file():
        return path
    folder = repository(path)
    if folder is not None:
        return _configured(folder)
    raise LimnerError(
        f"{path.absolute()} is not a Limner project: it has no feature_repo/feature_store.yaml "
        "(`limner init` makes one)"
    )


def _configured(folder: Path) -> Place:
    import yaml

    text = os.path.expandvars((folder / "feature_store.yaml").read_text())
    settings = yaml.safe_load(text) or {}
    config: Any = settings.get("online_store") or {}
    kind = config.get("type") if isinstance(config, Mapping) else config
    given: Mapping[str, Any] = config if isinstance(config, Mapping) else {}
    if kind == STORE_TYPE:
        return folder / str(given.get("path", DEFAULT_PATH))
    if kind == REDIS_TYPE:
        return RedisPlace.of(str(given.get("url", DEFAULT_URL)), given.get("prefix"), str(settings.get("project")))
    raise LimnerError(
        f"the online store of this project is {kind!r}, which only Feast reads: use feast.FeatureStore, "
        f"or set online_store.type to {STORE_TYPE} in {folder / 'feature_store.yaml'}"
    )
