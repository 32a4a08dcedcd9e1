"""The batch_engine section of feature_store.yaml."""

from pathlib import Path
from typing import Any

import pytest

from limner.language.errors import LimnerError
from limner.workers.settings import EngineSettings


def test_nothing_is_required() -> None:
    """An engine's type alone gives the layout of a project, and Ray on this machine."""
    settings = EngineSettings.from_mapping({"type": "limner.feature_repo.engine.LimnerEngine"}, Path("/p/feature_repo"))
    assert (settings.specs, settings.data) == (Path("/p/specs"), Path("/p/data"))
    assert settings.ledger == "sqlite:////p/data/ledger.db"
    assert settings.ray_address is None
    assert settings.triton.url == "127.0.0.1:8001"


def test_all_keys_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are relative to the folder of feature_store.yaml; environment variables expand, inside triton too."""
    monkeypatch.setenv("LEDGER_PASSWORD", "p@ss")
    monkeypatch.setenv("TRITON", "10.0.0.7:8001")
    settings = EngineSettings.from_mapping(
        {
            "specs": "specs",
            "data": "/big/disk",
            "ledger": "postgresql://limner:${LEDGER_PASSWORD}@db/limner",
            "ray_address": "10.0.0.1:6379",
            "cpus": 3,
            "shards": 16,
            "memory_limit": "1.5 GiB",
            "triton": {"url": "${TRITON}", "in_flight": 8},
        },
        Path("/p/feature_repo"),
    )
    assert settings.specs == Path("/p/feature_repo/specs")
    assert settings.data == Path("/big/disk")
    assert settings.ledger == "postgresql://limner:p@ss@db/limner"
    assert (settings.ray_address, settings.cpus, settings.shards) == ("10.0.0.1:6379", 3, 16)
    assert settings.memory_limit == "1.5 GiB"
    assert (settings.triton.url, settings.triton.in_flight) == ("10.0.0.7:8001", 8)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"shard": 4}, "unknown key 'shard': did you mean 'shards'?"),
        ({"qqq": 4}, "unknown key 'qqq': expected one of specs, data, ledger"),
        ({"shards": 0}, "batch_engine.shards: found 0, expected a whole number from 1"),
        ({"cpus": True}, "batch_engine.cpus: found True, expected a whole number from 1"),
        ({"memory_limit": "lots"}, "batch_engine.memory_limit: found 'lots', expected an amount of memory such as 1GB"),
        ({"ledger": None}, "batch_engine.ledger: found None, expected a text"),
        ({"ledger": "postgresql://u:${NO_SUCH_NAME}@h"}, "batch_engine.ledger: the environment variable NO_SUCH_NAME"),
        ({"triton": "127.0.0.1:8001"}, "expected a mapping such as {url: 127.0.0.1:8001}"),
        ({"triton": {"in_fligt": 3}}, "did you mean 'in_flight'?"),
    ],
)
def test_a_mistake_is_named_with_the_way_out(section: dict[str, Any], message: str) -> None:
    """One message that says which key, what was found and what is expected."""
    with pytest.raises(LimnerError) as caught:
        EngineSettings.from_mapping(section)
    assert message in str(caught.value)
