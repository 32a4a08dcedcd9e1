"""A fused vector over two views through Feast: the same offline and online, searchable, and explained."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from limner import Store
from tests.integration.feast_project import FIRST, SPECS, apply, events, make_project
from tests.running import Limner

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("over"),
    pytest.mark.usefixtures("in_process"),
]
ROWS = events(count=400, users=20, days=30, seed=4)
FIT = FIRST + timedelta(days=10)
MORE = f"""
---
encoder: words
hashing: {{features: 32}}
---
feature_view: taste
entity: user
source: events
every: 1d
features:
  kinds: {{embed: "{{kind}}", encoder: words, over: 30d}}
---
feature_view: fused
entity: user
views: [activity, taste]
every: 1d
features:
  whole:
    vector:
      - {{scalars: [activity.spend_7d, activity.orders_7d], scale: zscore}}
      - {{categories: activity.newest, values: [book, game], other: true}}
      - {{embedding: taste.kinds, weight: 2}}
    fit: {FIT.isoformat()}
  small:
    vector:
      - {{scalars: [activity.spend_7d], scale: minmax}}
      - {{embedding: taste.kinds}}
    fit: {FIT.isoformat()}
    project: {{pca: 4}}
    normalize: true
"""


def test_a_vector_over_views_is_fitted_fused_served_searched_and_explained(tmp_path: Path, limner: Limner) -> None:
    store = apply(make_project(tmp_path, ROWS, specs=SPECS + MORE))
    end = FIRST + timedelta(days=20)
    store.materialize(FIRST, end)
    users = sorted({row.user for row in ROWS if row.at < end})
    refs = ["fused:whole", "fused:small", "activity:spend_7d", "activity:orders_7d", "activity:newest", "taste:kinds"]
    at_end, at_fit, before = (_history(store, users, refs, at) for at in (end, FIT, FIT - timedelta(seconds=1)))

    # The population are the entities known at the fit's instant; sample statistics are those of all of them.
    known = at_fit[at_fit["spend_7d"].notna()]
    for row in at_end.itertuples():
        spend = (row.spend_7d - known["spend_7d"].mean()) / known["spend_7d"].std(ddof=0)
        orders = (row.orders_7d - known["orders_7d"].mean()) / known["orders_7d"].std(ddof=0)
        newest = [float(row.newest == "book"), float(row.newest == "game")]
        newest.append(float(row.newest not in ("book", "game", None)))
        fused = [spend, orders, *newest, *(2 * np.asarray(row.kinds, np.float64))]
        assert np.allclose(row.whole, fused, rtol=1e-6, atol=1e-7)
        assert len(row.small) == 4
        assert abs(np.linalg.norm(row.small) - 1) < 1e-6
    assert before["whole"].isna().all(), "a fit never sees the future"
    assert at_fit["whole"].notna().sum() == len(known)

    answer = store.get_online_features(refs, [{"user_id": user} for user in users]).to_dict()
    for name in ("whole", "small"):
        assert [list(vector) for vector in answer[name]] == [list(vector) for vector in at_end[name]]

    matrix = np.array([list(vector) for vector in at_end["whole"]])
    cosines = matrix @ matrix[0] / np.linalg.norm(matrix, axis=1) / np.linalg.norm(matrix[0])
    best = [users[place] for place in np.argsort(-cosines)[1:4]]
    assert [found.key for found in Store(tmp_path).similar("fused", "whole", users[0], 3)] == [(user,) for user in best]

    shown = limner("-C", tmp_path, "show", "fused")
    assert shown.code == 0, shown.err
    for text in (
        "activity.spend_7d",
        "zscore",
        "taste.kinds",
        "5 to 36",
        "4 principal components",
        f"{len(known)} entities",
    ):
        assert text in shown.out, shown.out


def _history(store: object, users: list[int], refs: list[str], at: object) -> pd.DataFrame:
    asked = pd.DataFrame({"user_id": users, "event_timestamp": [at] * len(users)})
    found = store.get_historical_features(asked, refs).to_df()  # type: ignore[attr-defined]
    return found.sort_values("user_id").reset_index(drop=True)
