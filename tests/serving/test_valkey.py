"""Values that are kept in Valkey are served alike: reads wait for the network in threads."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import limner
from limner.benchmarks.profiles import KEY, VIEW, definitions, features, profile_table, schema
from limner.benchmarks.valkey import valkey
from limner.workers.online.locate import REDIS_TYPE, online_place
from limner.workers.online.opening import open_writer
from tests.serving.world import limner_serve

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("serving")]
KEYS = [3, 1, 999, 3]


def test_values_in_valkey_are_served(tmp_path: Path) -> None:
    """On every route what Feast and `limner.Store` answer; where Valkey is gone, 503."""
    from feast import FeatureStore

    with valkey() as port:
        repo = tmp_path / "feature_repo"
        repo.mkdir()
        settings: dict[str, Any] = {"project": "bench", "provider": "local", "registry": "registry.db"}
        settings["online_store"] = {"type": REDIS_TYPE, "url": f"redis://127.0.0.1:{port}/1"}
        settings["entity_key_serialization_version"] = 3
        (repo / "feature_store.yaml").write_text(yaml.safe_dump(settings))
        feast = FeatureStore(repo_path=str(repo))
        feast.apply(definitions(repo))
        with open_writer(online_place(tmp_path)) as writer:
            writer.replace(schema(), profile_table(20).to_batches(), loaded="all", as_of=0)
        known = feast.get_online_features(features(), [{KEY: key} for key in KEYS]).to_dict()
        store = limner.Store(tmp_path)
        with limner_serve(tmp_path) as server, limner.Client(f"http://127.0.0.1:{server.port}", retries=0) as client:
            asked = client.get_online_features(features(), {KEY: KEYS})
            stamps = [name for name in known if name.startswith("timestamp")]
            assert {n: v for n, v in asked.items() if n not in stamps} == {
                n: v for n, v in known.items() if n not in stamps
            }
            assert client.profiles(VIEW, KEYS) == [store.profile(VIEW, key) for key in KEYS]
            assert client.read(VIEW, KEYS).equals(store.read(VIEW, KEYS))
            assert len(client.similar(VIEW, "taste", 3, k=50)) == 19
            assert server.ask("GET", f"/profiles/{VIEW}/3")[0] == 200
            assert server.ask("GET", "/health")[0] == 200
            _stop(port)
            assert server.ask("GET", f"/profiles/{VIEW}/3")[0] == 503
            assert server.ask("GET", "/health")[0] == 503
            assert server.ask("GET", "/health/live")[0] == 200
            assert server.ask("GET", "/metrics")[0] == 200


def _stop(port: int) -> None:
    import redis

    redis.Redis(port=port).shutdown(nosave=True)
