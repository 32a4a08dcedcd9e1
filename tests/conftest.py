"""Fixtures that every test may use."""

import os

# As cli/main.py does: gRPC reads it when it is first imported, by whichever test.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

import pytest
from hypothesis import HealthCheck, settings

from tests.integration.postgres_server import postgres, postgres_server
from tests.integration.stand_ins import in_process, marking
from tests.integration.triton_server import own_triton, triton
from tests.running import limner

# Ray's workers give way to everything else (nice 15): two test processes at once would starve each other's.
os.environ.setdefault("RAY_worker_niceness", "0")

# How long an example takes says how busy the machine is, not whether the code is right. The same examples each time,
# or ever new ones with LIMNER_EXPLORE.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize="LIMNER_EXPLORE" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("suite")

__all__ = ["in_process", "limner", "marking", "own_triton", "postgres", "postgres_server", "triton"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share a server in one process, so that each server is started once."""
    for item in items:
        names = set(getattr(item, "fixturenames", ()))
        if names & {"triton", "own_triton"} and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group("triton"))
