"""Segments in a simulated shop are the hidden kinds of its shoppers, as far as what they look at tells them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import adjusted_rand_score  # type: ignore[import-untyped]

from limner.language.columns import check
from limner.language.durations import parse_instant
from limner.language.repo import load_texts
from limner.simulate.options import Options
from limner.simulate.run import simulate
from limner.workers.models.contents import read_segmentation
from limner.workers.models.drawing import examples
from limner.workers.sources.describe import describe
from tests.workers.models.groups import context
from tests.workers.models.world import fitted

CUT = parse_instant("2025-12-20")
SPECS = """
encoder: categories
tfidf: {source: events, text: "{category}", fit: 2025-06-01, features: 64}
---
feature_view: looks
entity: shopper
source: events
every: 1d
features:
  taste: {embed: "{category}", encoder: categories, over: 365d}
---
model: kinds
entity: shopper
segments:
  features: [looks]
  population: {count: category, from: events, over: 365d, is: ">= 60"}
  k: [5, 11]
cut_off: 2025-12-20
"""


def test_hidden_kinds_of_shoppers_are_found(tmp_path: Path) -> None:
    """K-Means of the true interests themselves reaches 0.81: a kind is a tendency, not a rule."""
    simulate(tmp_path, Options(shoppers=400, events=60_000, language="en", seed=3))
    sources = (tmp_path / "specs" / "shop.yaml").read_text(encoding="utf-8")
    found = load_texts({"shop.yaml": sources, "models.yaml": SPECS})
    check(found, {name: describe(source, tmp_path) for name, source in found.sources.items()})
    version = fitted(tmp_path, found, CUT, "kinds", run=context()).version
    content = read_segmentation(tmp_path / "data", "kinds", version.id)
    (tmp_path / "stage").mkdir()
    model, data = found.models["kinds"], tmp_path / "data"
    _, drawn = examples(found, model, CUT, tmp_path, data, context(), tmp_path / "stage")
    table = pa.concat_tables([pq.read_table(each.file) for each in drawn])
    said = content.says("id", {"looks.taste": table["looks.taste"]}).to_pylist()
    truth = pq.read_table(tmp_path / "truth" / "shoppers.parquet", columns=["shopper_id", "segment"]).to_pydict()
    hidden = dict(zip(truth["shopper_id"], truth["segment"], strict=True))
    assert len(said) > 200
    assert 6 <= len(content.groups) <= 9  # there are 8
    index = adjusted_rand_score([hidden[shopper] for shopper in table["shopper_id"].to_pylist()], said)
    assert index > 0.7
