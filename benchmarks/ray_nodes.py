"""A Ray cluster of several nodes on this machine: each with its own scheduler, object store and worker processes."""

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_OBJECT_STORE = 80 * 2**20  # bytes; tasks pass paths, not data


@contextmanager
def ray_nodes(count: int, cpus: int = 1) -> Iterator[str]:
    """Start `count` nodes of `cpus` CPUs on loopback; yields the address that `ray_address` takes. Joins none of them.

    The nodes share this machine's cores, memory and disk: what is apart is what Ray keeps apart.
    """
    from limner.workers.cluster import keep_local

    keep_local()
    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    node: dict[str, Any] = {"num_cpus": cpus, "object_store_memory": _OBJECT_STORE, "node_ip_address": "127.0.0.1"}
    # A short path: sockets are in it.
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        head = {**node, "include_dashboard": False, "temp_dir": folder}
        cluster: Any = Cluster(initialize_head=True, head_node_args=head)
        try:
            for _ in range(count - 1):
                cluster.add_node(**node)
            yield cluster.address
        finally:
            cluster.shutdown()
