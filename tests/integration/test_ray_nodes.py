"""The same materialization on one Ray node and on two gives the same bytes."""

from pathlib import Path

import pytest
import ray_tasks

from limner.benchmarks import scale_out
from limner.benchmarks.events import write_events
from limner.benchmarks.ray_nodes import ray_nodes
from limner.workers.cluster import Cluster
from limner.workers.settings import EngineSettings

pytestmark = pytest.mark.integration


def test_two_nodes_give_the_bytes_of_one(tmp_path: Path) -> None:
    """History files with their names, and all that is served; both nodes have work."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(ray_tasks)  # tests are not installed where workers run
    source = tmp_path / "events.parquet"
    write_events(source, 5_000, 100, scale_out.START, scale_out.REACH + 5)
    seen: dict[str, str] = {}
    for count in (1, 2):
        with ray_nodes(count) as address:
            with Cluster(EngineSettings(ray_address=address)) as cluster:
                assert cluster.cpus == count
                assert len(set(cluster.map(ray_tasks.node_id, range(20)))) == count
            scale_out.materializing(tmp_path / f"on{count}", source, address, 5, 100, seen)(0)
    assert set(seen) == {"history", "online store"}
