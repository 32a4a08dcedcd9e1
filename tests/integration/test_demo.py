"""`limner demo` on the real data set, with a real Triton: the promise a newcomer meets first."""

import re
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from integration.triton_server import CHECKOUT, lend_installation

from limner.benchmarks.ports import free_ports
from limner.cli.demo_report import HOUSEHOLD
from limner.workers.online.store import Store

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("demo")]


@dataclass(frozen=True)
class Demo:
    """A project and what the demo said, the first and the second time."""

    root: Path
    port: int
    first: str
    second: str


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Run the demo twice in a copy of what a checkout holds, with ports of its own."""
    root = tmp_path_factory.mktemp("demo")
    (root / "feature_repo").mkdir()
    (root / "specs").mkdir()
    for path in [*(CHECKOUT / "specs").glob("*.yaml"), CHECKOUT / "feature_repo" / "definitions.py"]:
        shutil.copy(path, root / path.relative_to(CHECKOUT))
    grpc, http, metrics = free_ports(3)
    settings = (CHECKOUT / "feature_repo" / "feature_store.yaml").read_text()
    triton = f"  triton: {{url: '127.0.0.1:{grpc}', http_port: {http}, metrics_port: {metrics}}}\n"
    engine = "  type: limner.feature_repo.engine.LimnerEngine\n"
    assert engine in settings
    (root / "feature_repo" / "feature_store.yaml").write_text(settings.replace(engine, engine + triton))
    lend_installation(root)
    return Demo(root, grpc, run(root), run(root))


def run(root: Path) -> str:
    limner = [sys.executable, "-m", "limner.cli.main", "-C", str(root), "demo"]
    out = subprocess.PIPE
    done = subprocess.run(limner, stdout=out, stderr=subprocess.STDOUT, text=True, check=False, cwd=root, timeout=500)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_the_demo_shows_online_past_and_similar_profiles(demo: Demo) -> None:
    """The four parts it ends with, in a log without a terminal."""
    for heading in ("online: profile", "training: the same household at 3 past instants", "similar: the 5", "next"):
        assert heading in demo.first
    assert "\x1b[" not in demo.first


def test_models_are_learned_the_first_time_and_are_there_the_second(demo: Demo) -> None:
    """And what they say is in the profile."""
    versions = [re.findall(r"(\w+) · version (\w+) · .* · (.*)", text) for text in (demo.first, demo.second)]
    assert [(name, fate) for name, _, fate in versions[0]] == [("churn", "registered"), ("kinds", "registered")]
    assert versions[1] == [(name, version, "already there") for name, version, _ in versions[0]]
    profile = Store(demo.root).profile("recommender_v1", HOUSEHOLD)
    assert profile is not None
    assert 0 < profile["churn"] < 0.05  # it buys nearly every other day
    assert profile["kind"]


def test_texts_are_encoded_the_first_time_and_never_again(demo: Demo) -> None:
    """The second run says so, and does not even start Triton."""
    encoded = re.search(r"([\d,]+) texts encoded by Triton, 0 known from before", demo.first)
    assert encoded is not None
    assert int(encoded[1].replace(",", "")) > 1000
    assert "no text was encoded" in demo.second
    assert "starting Triton" not in demo.second


def test_both_runs_show_the_same_profiles(demo: Demo) -> None:
    """Repeating a run changes nothing that is served."""
    shown = [
        re.sub(r"[\d.]+ ms|done in \d+ s", "", text[text.index("online: profile") :])
        for text in (demo.first, demo.second)
    ]
    assert shown[0] == shown[1]


def test_what_was_started_is_stopped(demo: Demo) -> None:
    """Nothing listens on Triton's port afterwards."""
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", demo.port)) != 0


def test_the_numbers_are_those_of_plain_sql(demo: Demo) -> None:
    """Orders and spend of the 30 days before the last instant, over the raw rows."""
    purchases = demo.root / "data/demo/transactions.parquet"
    orders, spend = duckdb.execute(
        """
        select count(distinct basket_id), sum(sales_value) from read_parquet($path)
        where household_id = $household and quantity > 0
          and timezone('America/New_York', transaction_timestamp) >= timestamptz '2017-12-03 00:00:00+00'
          and timezone('America/New_York', transaction_timestamp) < timestamptz '2018-01-02 00:00:00+00'
        """,
        {"path": str(purchases), "household": HOUSEHOLD},
    ).fetchall()[0]
    profile = Store(demo.root).profile("recommender_v1", HOUSEHOLD)
    assert profile is not None
    assert profile["orders_30d"] == orders
    assert profile["spend_30d"] == pytest.approx(spend, rel=1e-12)
