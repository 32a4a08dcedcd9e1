"""Tuned encoders and a real Triton: loaded without a restart, asked by views, refused without harm; by two workers."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.dataset as ds
import pytest

from limner.language.errors import LimnerError
from limner.workers.cluster import Cluster
from limner.workers.encoder.errors import TritonFailed
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.encoder.serving import add, drop, health
from limner.workers.encoder.transport import GrpcTransport
from limner.workers.evaluation.versions.run import evaluated
from limner.workers.ledger import Ledger
from limner.workers.models.fitting import Fitted, fit
from limner.workers.models.pins import with_pins
from limner.workers.models.texts.scores import probabilities
from limner.workers.models.texts.served import needed
from limner.workers.models.tuning.asking import scores
from limner.workers.models.versions import registered
from limner.workers.plan import plan_view
from limner.workers.run import materialize
from limner.workers.settings import EngineSettings
from limner.workers.text.encode import encode_with
from tests.integration.triton_server import TritonServer
from tests.workers.models.texts import world
from tests.workers.models.texts.test_tuned import project, text
from tests.workers.models.texts.world import DAY, FIRST, reviews

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("triton"),
]
CUT = FIRST + 40 * DAY
TEXTS = [row.body for row in reviews(3, 50)] + ["x", "很好", "it was " * 50]


def _context(triton: TritonServer, **others: Any) -> Any:
    return replace(
        world.context(),
        encode_with=partial(encode_with, triton.settings),
        serve=partial(add, triton.home, triton.settings),
        **others,
    )


def _fit(triton: TritonServer, root: Path, **others: Any) -> Fitted:
    found = world.specs(root, text())
    return fit(found, "mood", CUT, root, root / "data", _context(triton, **others), allow_suspicious=True)


@pytest.fixture(scope="module")
def root(triton: TritonServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a version, which Triton serves."""
    place = project(tmp_path_factory.mktemp("tuned"), reviews(count=250))
    assert _fit(triton, place).registered
    yield place
    drop(triton.home, triton.settings, _served(place).name)


def _served(root: Path) -> EncoderModel:
    (found,) = needed(world.specs(root, text()), root, root / "data")["mood"]
    return found


def test_triton_says_what_was_learned(triton: TritonServer, root: Path) -> None:
    """It answers with the probabilities of the network as torch computes them."""
    model = _served(root)
    found = triton.client(model).encode(TEXTS)
    assert found.failures == {}
    np.testing.assert_allclose(found.vectors.sum(axis=1), 1.0, atol=1e-5)
    np.testing.assert_allclose(found.vectors, probabilities(scores(model.folder, "mean", 24, TEXTS), 1.0), atol=1e-4)


def test_views_ask_it_and_a_text_is_asked_about_once(triton: TritonServer, root: Path) -> None:
    """A version that the server has not loaded is loaded by the run that asks for it first."""
    model = _served(root)
    transport = GrpcTransport(triton.settings.url)
    transport.unload(model.name)
    specs = with_pins(world.specs(root, text()), root, root / "data")
    plan = plan_view(specs, "voice", root, root / "data")
    ledger = Ledger(f"sqlite:///{root / 'ledger.db'}")
    for begin, end in ((FIRST + 30 * DAY, FIRST + 70 * DAY), (FIRST + 70 * DAY, FIRST + 71 * DAY)):
        run_id = ledger.start_run("test", ["voice"])
        materialize(plan, begin, end, replace(_context(triton), ledger=ledger, run_id=run_id, shards=1))
    ledger.close()
    assert health(model, transport).ok
    transport.close()
    rows = plan.folder / plan.fingerprint
    at = FIRST + 62 * DAY
    values = {
        (row["user_id"], row["event_timestamp"]): row["mood_good_14d"]
        for row in ds.dataset(sorted(rows.rglob("*.parquet")), format="parquet").to_table().to_pylist()
    }
    asked = 0
    for user in range(1, 10):
        when = max(each for key, each in values if key == user and each.timestamp() * 1e6 <= at)
        tick = int(when.timestamp()) * 1_000_000
        bodies = [
            row.body
            for row in reviews(count=250)
            if row.user == user and row.written <= tick and tick - 14 * DAY < row.at <= tick
        ]
        if tick < CUT or not bodies:
            assert values[user, when] is None
            continue
        said = triton.client(model).encode(bodies).vectors
        assert values[user, when] == pytest.approx(float(said[:, 1].mean()), abs=1e-5)
        asked += 1
    assert asked > 4


def test_it_is_evaluated_on_what_came_later(triton: TritonServer, root: Path) -> None:
    """Its probabilities of later texts are those that views are told. With none, its procedure is measured."""
    specs = world.specs(root, text())
    (version,) = registered(root / "data", "mood").values()
    for basis, known_by in (("later", FIRST + 90 * DAY), ("earlier", CUT)):
        told = evaluated(specs, version, root, root / "data", _context(triton), known_by=known_by, draws=20).told
        assert told is not None
        assert (told.basis, told.facts["method"]) == (basis, "tune: full")


def test_a_version_that_triton_refuses_does_no_harm(triton: TritonServer, root: Path) -> None:
    """It says why; nothing of it stays, and what is served goes on."""
    model = _served(root)
    broken = replace(model, name="mood.broken", fingerprint="ab" * 32, precision="float16")  # none on this processor
    with pytest.raises(
        TritonFailed, match=r"refuses mood\.broken(.|\n)*precision float16 needs a GPU(.|\n)*stays as it is"
    ):
        add(triton.home, triton.settings, broken)
    assert not (triton.home.repository / "mood.broken").exists()
    assert triton.client(model).encode(["it was great"]).failures == {}


def test_a_version_that_nobody_asks_any_more_goes(triton: TritonServer, root: Path) -> None:
    """From the server and from its repository; it can be served again."""
    model = _served(root)
    transport = GrpcTransport(triton.settings.url)
    assert drop(triton.home, triton.settings, model.name)
    assert health(model, transport).state == "missing"
    assert not (triton.home.repository / model.name).exists()
    assert not drop(triton.home, triton.settings, model.name)
    assert "is served by Triton" in add(triton.home, triton.settings, model)
    assert health(model, transport).ok
    transport.close()


def test_two_workers_learn_what_one_learns(triton: TritonServer, root: Path, tmp_path: Path) -> None:
    """Ray Train's TorchTrainer with two processes: the version of one, to the last bit."""
    other = project(tmp_path, reviews(count=250))
    with Cluster(EngineSettings(cpus=2)) as cluster:
        made = _fit(triton, other, workers=cluster, tuning_workers=2)
        assert made.version == _fit(triton, root).version
        again = project(tmp_path / "again", reviews(count=250))
        with pytest.raises(LimnerError, match="3 workers are asked for, and Ray has 2 CPUs: lower `tuning_workers`"):
            _fit(triton, again, workers=cluster, tuning_workers=3)
