"""One project and its servers for all tests of serving."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.world import Server, feast_serve, limner_serve, make_world


@pytest.fixture(scope="package")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is applied and materialized."""
    from limner.workers.tasks import InProcess

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limner.workers.cluster.Cluster", lambda _settings: InProcess())
        return make_world(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="package")
def ours(root: Path) -> Iterator[Server]:
    """`limner serve`."""
    with limner_serve(root) as server:
        yield server


@pytest.fixture(scope="package")
def theirs(root: Path) -> Iterator[Server]:
    """`feast serve` over the same store."""
    with feast_serve(root / "feature_repo") as server:
        yield server
