"""The registry file is never seen half-written."""

import threading
from pathlib import Path

from feast.protos.feast.core.Registry_pb2 import Registry as RegistryProto
from feast.repo_config import RegistryConfig

from limner.feature_repo.registry_store import LimnerRegistryStore


def test_a_reader_finds_the_whole_registry_while_it_is_rewritten(tmp_path: Path) -> None:
    """Each of many looks during many writes finds every feature view, and nothing is left beside the file."""
    registry = RegistryProto()
    for number in range(200):
        registry.feature_views.add().spec.name = f"view_{number}"
    store = LimnerRegistryStore(RegistryConfig(path="registry.db"), tmp_path)
    store.update_registry_proto(registry)
    done = threading.Event()

    def rewrite() -> None:
        for _ in range(100):
            store.update_registry_proto(registry)
        done.set()

    writer = threading.Thread(target=rewrite)
    writer.start()
    found = set()
    while not done.is_set():
        found.add(len(store.get_registry_proto().feature_views))
    writer.join()
    assert found == {200}
    assert [path.name for path in tmp_path.iterdir()] == ["registry.db"]
