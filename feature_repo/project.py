"""A project as Feast's configuration names it: its folders and the settings of the engine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from limner.language.errors import LimnerError
from limner.workers.settings import EngineSettings

if TYPE_CHECKING:
    from feast import RepoConfig

ENGINE = "limner.feature_repo.engine.LimnerEngine"


@dataclass(frozen=True)
class Project:
    """`repo` is the folder of feature_store.yaml, `root` the one above it; `settings` has absolute paths."""

    root: Path
    repo: Path
    settings: EngineSettings

    def history(self, view: str) -> Path:
        """The folder of a view's histories, one folder a fingerprint."""
        return self.settings.data / "history" / view

    @classmethod
    def at(cls, repo: Path) -> "Project":
        """The project whose feature_store.yaml is in `repo`, read without Feast."""
        repo = repo.resolve()
        return cls(repo.parent, repo, EngineSettings.at(repo))

    @classmethod
    def configured(cls, config: "RepoConfig") -> "Project":
        """The project of a Feast configuration."""
        if config.repo_path is None:
            raise LimnerError("Limner needs a repository on disk: open Feast's FeatureStore with repo_path")
        repo, engine = Path(config.repo_path).resolve(), config.batch_engine_config
        settings = EngineSettings.from_mapping(engine if isinstance(engine, Mapping) else {}, repo)
        return cls(repo.parent, repo, settings)
