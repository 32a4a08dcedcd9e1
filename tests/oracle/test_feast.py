"""The stock Feast SDK over Limner's engine and stores, on real Ray, against the oracle: offline and online."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given

from limner import Store
from limner.workers.cluster import Cluster
from limner.workers.encoder.resolve import resolve
from limner.workers.plan import ViewPlan, plan_view
from limner.workers.settings import EngineSettings
from limner.workers.text.cache import EmbeddingCache
from tests.oracle.compare import check_row, interesting, last_tick
from tests.oracle.encoders import DIM, vector_of
from tests.oracle.generate import Case, cases
from tests.oracle.instants import from_micros
from tests.oracle.oracle import Oracle
from tests.oracle.pipeline import Project, digest, texts_of
from tests.oracle.profiles import many

if TYPE_CHECKING:
    from feast import FeatureStore

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]
HERE = Path(__file__).resolve().parents[2]
NOBODY = {"int": -404, "string": "nobody"}


@pytest.fixture(scope="module", autouse=True)
def ray() -> Iterator[None]:
    """One Ray for all cases: an engine uses the Ray its process has joined, and leaves it running."""
    with Cluster(EngineSettings(cpus=1)) as cluster:
        list(cluster.map(str, range(1)))
        yield


def lay_out(case: Case, root: Path) -> tuple[Project, dict[str, ViewPlan]]:
    """A Feast repository with the case's specs, and an encoder all of whose texts are encoded already."""
    model = root / "models" / "tiny"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps({"model_type": "bert", "hidden_size": DIM}))
    (model / "tokenizer.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    project = Project(case, root)
    (root / "specs").mkdir()
    (root / "specs" / "specs.yaml").write_text(yaml.safe_dump_all(case.docs, allow_unicode=True))
    (root / "feature_repo").mkdir()
    for name in ("feature_store.yaml", "definitions.py", ".feastignore"):
        shutil.copy(HERE / "feature_repo" / name, root / "feature_repo")
    plans = {view: plan_view(project.specs, view, root, root / "data") for view in case.views}
    cache = EmbeddingCache(root / "data" / "embeddings", resolve(project.specs.encoders["tiny"], root))
    texts = sorted({text for view in case.views for text in texts_of(project.specs, project.oracle(view))})
    vectors = np.array([vector_of(text) for text in texts], np.float32).reshape(-1, DIM)
    cache.put(pa.array([digest(text) for text in texts], pa.binary(16)), vectors)
    return project, plans


@many(12)
@given(cases(views=2))
def test_feast_answers_what_the_oracle_says(case: Case) -> None:
    """`get_historical_features` at any instant, and `get_online_features` after each `materialize`."""
    from feast import FeatureStore

    from limner.feature_repo.compile import objects

    with tempfile.TemporaryDirectory() as folder:
        project, plans = lay_out(case, Path(folder))
        store = FeatureStore(str(Path(folder) / "feature_repo"))
        store.apply(list(objects(Path(folder)).values()))
        for until in (*case.cuts, case.end):
            store.materialize(from_micros(case.start), from_micros(until))
            for view, plan in plans.items():
                check_online(store, plan, project.oracle(view), until)
        for view, plan in plans.items():
            check_offline(store, plan, project.oracle(view), case)


def check_online(store: "FeatureStore", plan: ViewPlan, oracle: Oracle, until: int) -> None:
    """Each entity's online row is the oracle's at the last tick, through Feast and directly; nobody's is empty."""
    types = plan.specs.entities[plan.view.entity].join_keys
    keys = [*oracle.entities, tuple(NOBODY[kind] for kind in types.values())]
    rows = [dict(zip(plan.join_keys, key, strict=True)) for key in keys]
    names = [output.name for output in plan.outputs]
    through_feast = store.get_online_features([f"{plan.name}:{name}" for name in names], rows).to_dict()
    directly = Store(plan.root).read(plan.name, rows).to_pylist()
    for place, key in enumerate(keys):
        expected = oracle.at(last_tick(plan.view.grid, until), key) or dict.fromkeys(names)
        where = f"{plan.name} of {key} at {until}"
        check_row(directly[place], expected, plan.outputs, f"limner.Store: {where}")
        # Feast's own values hold timestamps to the second.
        coarse = {n: v.replace(microsecond=0) if isinstance(v, datetime) else v for n, v in expected.items()}
        row = {name: through_feast[name][place] for name in names}
        check_row(row, coarse, plan.outputs, f"Feast online: {where}")


def check_offline(store: "FeatureStore", plan: ViewPlan, oracle: Oracle, case: Case) -> None:
    """A training set of every entity at every interesting instant, in the order asked for."""
    import pandas as pd

    instants = sorted(interesting(case, oracle))
    asked = [(instant, key) for instant in instants for key in oracle.entities]
    if not asked:
        return
    frame: dict[str, Any] = {name: [key[place] for _, key in asked] for place, name in enumerate(plan.join_keys)}
    frame["event_timestamp"] = pd.to_datetime([from_micros(instant) for instant, _ in asked], utc=True)
    names = [output.name for output in plan.outputs]
    job = store.get_historical_features(pd.DataFrame(frame), [f"{plan.name}:{name}" for name in names])
    found = job.to_arrow().select(names).to_pylist()
    assert len(found) == len(asked)
    for (instant, key), row in zip(asked, found, strict=True):
        expected = oracle.at(last_tick(plan.view.grid, instant), key) or dict.fromkeys(names)
        check_row(row, expected, plan.outputs, f"offline {plan.name} of {key} at {instant}")
