"""`limner bench stream` with a real Triton: what it times is there when it says so."""

from pathlib import Path

import numpy as np
import pytest

from limner.benchmarks.freshness import freshness
from limner.benchmarks.stream import encoded, project, tap
from limner.language.models import Encoder
from limner.workers.online.store import Store
from tests.integration.triton_server import TritonServer

pytestmark = pytest.mark.integration


def test_vectors_of_new_texts_are_online_with_their_events(triton: TritonServer, tmp_path: Path) -> None:
    """Each event has a text of its own: Triton is asked for each, and profiles have their vectors."""
    encoder = Encoder(encoder="tiny", model="models/tiny", max_tokens=32, precision="float32")
    root = project(tmp_path / "bench", encoded(encoder, triton.root / "models" / "tiny"), 10, triton.settings)
    before = triton.server_rows("tiny")
    found = freshness(root, tap, shoppers=10, rate=20, seconds=1)
    assert len(found) == 20
    assert all(0 < seconds < 30 for seconds in found)
    assert triton.server_rows("tiny") - before == 20 + 1  # one that waits for the worker to start
    vectors = Store(root).arrays("live", list(range(10)))["taste"]
    assert vectors.shape == (10, 32)
    assert np.isfinite(vectors).all()
