"""SIGKILL at any moment of a run costs nothing but time."""

import contextlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from feast import FeatureStore

from limner import Store
from tests.integration.shop import VIEW, Shop, make_shop
from tests.integration.triton_server import TritonServer

KILLS = 10
BEFORE = ("materialize", "2026-03-02T00:00:00", "2026-03-20T00:00:00")
RUN = ("materialize", "2026-03-20T00:00:00", "2026-04-08T00:00:00")
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory, triton: TritonServer) -> tuple[Shop, Shop]:
    """Two equal shops, applied and materialized up to the same day."""
    root = tmp_path_factory.mktemp("shops")
    shop = make_shop(root / "one", triton.settings.url)
    shutil.copytree(triton.root / "models", shop.root / "models")
    assert shop.feast("apply").returncode == 0
    ended = shop.feast(*BEFORE)
    assert ended.returncode == 0, ended.stderr
    shutil.copytree(shop.root, root / "two")  # keeps times of files, which identify a source
    return shop, Shop(root / "two")


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline, "the run never began"
        time.sleep(0.01)


def run(shop: Shop, kill_after: float | None) -> float:
    """Run the command; SIGKILL it so many seconds after it began to work. Returns the seconds it worked."""
    stage = shop.root / "data" / "stage" / VIEW
    shutil.rmtree(stage, ignore_errors=True)
    process = subprocess.Popen(shop.command(*RUN), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(stage.exists, process)
    begun = time.monotonic()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(kill_after)
    if kill_after is not None and process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return time.monotonic() - begun


def online(shop: Shop) -> list[dict[str, object]]:
    return Store(shop.root).read(VIEW, list(range(60))).to_pylist()


def labels(shop: Shop, probes: pd.DataFrame) -> pd.DataFrame:
    store = FeatureStore(str(shop.repo))
    return store.get_historical_features(probes, ["taste:orders_7d", "taste:likes"]).to_df()


def test_a_run_killed_at_random_moments_and_repeated_ends_like_an_undisturbed_one(shops: tuple[Shop, Shop]) -> None:
    undisturbed, killed = shops
    at_first = online(killed)
    assert any(row["orders_7d"] for row in at_first)
    seconds = run(undisturbed, None)
    at_last = online(undisturbed)
    assert at_last != at_first

    instants = pd.to_datetime(["2026-03-10", "2026-03-19"] * 30, utc=True)
    probes = pd.DataFrame({"user_id": range(60), "event_timestamp": instants})
    before = labels(killed, probes)
    assert before["orders_7d"].sum() > 0
    rng = random.Random(11)
    for number in range(KILLS):
        run(killed, rng.uniform(0, seconds))
        rows = online(killed)  # servable at every moment, and each profile is whole: the old one or the new one
        for row, old, new in zip(rows, at_first, at_last, strict=True):
            assert row in (old, new), f"after kill {number}"
        pd.testing.assert_frame_equal(labels(killed, probes), before)

    again = killed.feast(*RUN)
    assert again.returncode == 0, again.stderr
    assert killed.files() == undisturbed.files()
    assert online(killed) == at_last
    assert not list(Path(killed.root / "data").rglob("*.tmp"))
