"""Texts through real worker processes to a real Triton: each is sent once, by the server's own count."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from fakes import digests_of, write_texts

from limner.benchmarks.ports import free_ports
from limner.workers.cluster import Cluster
from limner.workers.encoder.errors import EncoderUnavailable
from limner.workers.settings import EngineSettings
from limner.workers.text.cache import EmbeddingCache
from limner.workers.text.encode import TritonEncode
from limner.workers.text.ensure import EnsureResult, ensure
from tests.integration.triton_server import TritonServer

pytestmark = pytest.mark.integration

TEXTS = [f"milk {'and bread ' * (number % 13)}{number}" for number in range(2000)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(EngineSettings()) as cluster:
        yield cluster


def test_the_server_sees_each_text_once(triton: TritonServer, cluster: Cluster, tmp_path: Path) -> None:
    """Two files that overlap, then a run with a few new texts, then one with none."""
    model = triton.models["tiny"]
    cache, encode = EmbeddingCache(tmp_path / "embeddings", model), TritonEncode(triton.settings, model)
    files = [
        write_texts(tmp_path / "1.parquet", TEXTS[:1200]),
        write_texts(tmp_path / "2.parquet", TEXTS[800:1990]),
    ]
    encode.check()
    probe = triton.server_rows(model)
    encode.check()
    probe = triton.server_rows(model) - probe  # what a check itself costs
    before = triton.server_rows(model)
    assert ensure(files, cache, encode, cluster) == EnsureResult(known=0, encoded=1990)
    assert triton.server_rows(model) - before == 1990 + probe
    files = [write_texts(tmp_path / "3.parquet", TEXTS[1900:])]
    before = triton.server_rows(model)
    assert ensure(files, cache, encode, cluster) == EnsureResult(known=90, encoded=10)
    assert triton.server_rows(model) - before == 10 + probe
    before = triton.server_rows(model)
    assert ensure(files, cache, encode, cluster) == EnsureResult(known=100, encoded=0)
    assert triton.server_rows(model) == before
    chosen = TEXTS[::97]
    direct = triton.client(model).encode(chosen).vectors
    np.testing.assert_allclose(cache.load(digests_of(chosen)), direct, atol=1e-5)


def test_without_triton_nothing_is_stored_and_the_message_says_what_to_do(
    triton: TritonServer, cluster: Cluster, tmp_path: Path
) -> None:
    """No vector, no part."""
    model = triton.models["tiny"]
    cache = EmbeddingCache(tmp_path / "embeddings", model)
    encode = TritonEncode(triton.settings.at(free_ports(1)[0]), model)
    with pytest.raises(EncoderUnavailable, match="limner triton up"):
        ensure([write_texts(tmp_path / "1.parquet", ["milk"])], cache, encode, cluster)
    assert [path.name for path in cache.folder.iterdir()] == [".lock"]
