"""A project of a benchmark's own, used the way Feast's users use one: apply, materialize, read."""

import contextlib
import io
import logging
import shutil
import time
import warnings
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from feast import FeatureStore

    from limner.feature_repo.project import Project

_DEFINITIONS = """from pathlib import Path

from limner.feature_repo.compile import objects

globals().update(objects(Path(__file__).resolve().parent.parent))
"""


class BenchProject:
    """A folder with specs and a Feast repository, made anew."""

    def __init__(self, root: Path, specs: str, *, settings: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """`settings` is laid over sections of feature_store.yaml: {"batch_engine": {"shards": 8}}."""
        self.root, self.repo = root, root / "feature_repo"
        sections: dict[str, Any] = {
            "project": "bench",
            "provider": "local",
            "registry": {
                "registry_store_type": "limner.feature_repo.registry_store.LimnerRegistryStore",
                "path": "../data/registry.db",
                "cache_ttl_seconds": 60,
                "serve_features_while_materializing": True,
            },
            "online_store": {"type": "limner.feature_repo.online_store.LimnerOnlineStore", "path": "../data/online.db"},
            "offline_store": {"type": "limner.feature_repo.offline_store.LimnerOfflineStore"},
            "batch_engine": {"type": "limner.feature_repo.engine.LimnerEngine"},
            "entity_key_serialization_version": 3,
        }
        for name, values in (settings or {}).items():
            sections[name] = {**sections[name], **values}
        self.repo.mkdir(parents=True)
        (root / "specs").mkdir()
        (self.repo / "feature_store.yaml").write_text(yaml.safe_dump(sections))
        (self.repo / "definitions.py").write_text(_DEFINITIONS)
        self.write(specs)

    def write(self, specs: str) -> None:
        """Replace the specs."""
        (self.root / "specs" / "bench.yaml").write_text(specs)

    def project(self) -> "Project":
        """The project as the engine knows it."""
        from limner.feature_repo.project import Project

        return Project.at(self.repo)

    def apply(self) -> None:
        """What `feast apply` does, in this process."""
        from limner.feature_repo.apply import feast_apply

        with quiet():
            feast_apply(self.repo)

    def store(self) -> "FeatureStore":
        """Feast over this project, with nothing cached from before."""
        with quiet():
            from feast import FeatureStore

            return FeatureStore(repo_path=str(self.repo))

    def materialize(self, start: datetime, end: datetime, views: list[str] | None = None) -> float:
        """What `feast materialize` does, in this process; returns seconds, a new FeatureStore's included."""
        begun = time.perf_counter()
        with quiet(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.store().materialize(start, end, feature_views=views)
        return time.perf_counter() - begun

    def forget(self) -> None:
        """Remove all that was materialized or applied: the next apply starts from nothing."""
        shutil.rmtree(self.root / "data", ignore_errors=True)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No warnings, no log lines of Feast's: they cost time and would stand between the figures."""
    logger = logging.getLogger("feast")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import feast  # noqa: F401 - it puts filters of its own before ours when it is first imported

        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
