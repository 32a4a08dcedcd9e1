"""What stands in for Ray and Triton where a test is about something else."""

from collections.abc import Iterator

import pytest

from limner.workers.tasks import InProcess
from tests.integration.versions import MarkingEncode


@pytest.fixture(scope="module")
def in_process() -> Iterator[None]:
    """Tasks run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limner.workers.cluster.Cluster", lambda _settings: InProcess())
        yield


@pytest.fixture(scope="module")
def marking(in_process: None) -> Iterator[None]:
    """Tasks run in this process, and texts are encoded by a fake that leaves its mark."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("limner.workers.running.encode_with", lambda _settings, model: MarkingEncode(model))
        yield
