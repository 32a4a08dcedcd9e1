"""What models of texts find in a simulated shop is what is hidden there: how reviews were felt, what interests whom."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy.stats import spearmanr

from limner.language.columns import check
from limner.language.durations import parse_instant
from limner.language.repo import Specs, load_texts
from limner.simulate.catalog import TAGS
from limner.simulate.options import Options
from limner.simulate.run import simulate
from limner.workers.models.texts.scoring import read_scorer
from limner.workers.sources.describe import describe
from tests.workers.models.texts.test_views import _plan, _run
from tests.workers.models.texts.world import fitted

CUT, BEGIN, END = (parse_instant(day) for day in ("2025-10-01", "2025-12-10", "2025-12-20"))
OPTIONS = Options(shoppers=400, events=60_000, language="en", seed=3)
MODELS = """
model: sentiment
classifier:
  label: {source: events, text: "{review}", column: rating}
  classes: {negative: [1, 2], neutral: 3, positive: [4, 5]}
  method: tfidf
cut_off: 2025-10-01
---
model: likes
interests:
  encoder: terms
  texts: {source: events, text: "{title} {description}"}
  tags:
TAGS
cut_off: 2025-10-01
---
feature_view: voice
entity: shopper
source: events
every: 7d
features:
  mood: {classify: "{review}", model: sentiment, over: 365d}
  likes: {interests: "{title} {description}", model: likes, over: 365d, as: vector}
  reviews: {count: review, over: 365d}
  looks: {count: title, over: 365d}
"""


def _about(tag: str) -> str:
    """The names of its categories: what somebody would write who knows the shop, and no truth."""
    text = Path("simulate/words/categories.yaml").read_text(encoding="utf-8")
    (part,) = re.findall(rf"^{tag}:\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL)
    return ", ".join(re.findall(r" en: ([^,]+),", part))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Specs]:
    root = tmp_path_factory.mktemp("shop")
    simulate(root, OPTIONS)
    tags = "\n".join(f"    {tag}: {{about: {json.dumps(_about(tag))}}}" for tag in TAGS)
    sources = (root / "specs" / "shop.yaml").read_text(encoding="utf-8")
    found = load_texts({"shop.yaml": sources, "models.yaml": MODELS.replace("TAGS", tags)})
    check(found, {name: describe(source, root) for name, source in found.sources.items()})
    return root, found


def _table(root: Path, name: str) -> pd.DataFrame:
    return pq.read_table(root / name if name == "events" else root / f"{name}.parquet").to_pandas()


def test_what_is_hidden_is_found(shop: tuple[Path, Specs]) -> None:
    root, found = shop
    sentiment = fitted(root, found, CUT, "sentiment").version
    fitted(root, found, CUT, "likes")

    # Stars are wrong now and then and short texts say little; the truth is how it was felt.
    events = _table(root, "events").drop_duplicates("event_id").merge(_table(root, "truth/reviews"), on="event_id")
    later = events[(events.event_timestamp_x >= pd.Timestamp(CUT, unit="us", tz="UTC")) & events.review.notna()]
    said = read_scorer(root / "data", "sentiment", sentiment.id)(later.review.tolist()).argmax(axis=1)
    right = np.array(["negative", "neutral", "positive"])[said] == later.sentiment.to_numpy()
    assert len(later) > 300
    assert right.mean() > 0.88

    rows: dict[int, dict[str, Any]] = {row["shopper_id"]: row for row in _run(_plan(found, root), BEGIN, END)}
    table = pd.DataFrame(rows.values()).set_index("shopper_id")
    truth = _table(root, "truth/shoppers").set_index("shopper_id")
    busy = table.index[table.looks >= 60].difference(_table(root, "truth/life_events").shopper_id)
    ranks = [spearmanr(table.likes[who], truth.loc[who, [f"interest_{tag}" for tag in TAGS]]).statistic for who in busy]
    assert len(ranks) > 200
    assert np.mean(ranks) > 0.5  # of those who look often, true tags of what they look at rank at 0.6
    assert np.quantile(ranks, 0.05) > 0.15
    vocal = table.index[table.reviews >= 4]
    balance = table.mood_positive[vocal] - table.mood_negative[vocal]
    assert len(vocal) > 100
    assert spearmanr(balance, truth.satisfaction[vocal]).statistic > 0.45
