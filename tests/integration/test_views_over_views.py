"""Views over views through stock Feast: one `materialize` computes members first, and far enough back."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from limner.feature_repo.compile import compile_project
from limner.feature_repo.costs import estimate
from limner.feature_repo.plan import plan
from limner.feature_repo.project import Project
from limner.workers.history.served import served_history
from tests.integration.feast_project import DAY, FIRST, SPECS, apply, events, make_project

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("over"),
    pytest.mark.usefixtures("in_process"),
]
ROWS = events(count=200, users=8, days=20, seed=9)
# Feast hands views over in the order of their names: `about` comes before the views it is made of.
MORE = """
---
feature_view: rhythm
entity: user
source: events
every: event
features: {week: {count: "*", over: 7d}}
---
feature_view: about
entity: user
views: [activity, rhythm]
every: 7d
features:
  basket: {expression: activity.spend_7d / activity.orders_7d}
  busy: {expression: rhythm.week > 2 * 1}
---
profile: overview
features: [about, activity: [orders_7d]]
"""


def test_one_materialize_computes_members_first_and_far_enough_back(tmp_path: Path) -> None:
    """The interval begins in the middle of a week, whose Monday's values the weekly view needs."""
    store = apply(make_project(tmp_path, ROWS, specs=SPECS + MORE))
    start, end = FIRST + timedelta(days=9, hours=5), FIRST + timedelta(days=15)
    store.materialize(start, end)
    keys = sorted({row.user for row in ROWS})
    monday = FIRST + timedelta(days=11)  # 2026-01-12, the last instant of the weekly grid
    found = _online(store, keys)
    asked = pd.DataFrame({"user_id": keys, "event_timestamp": [end] * len(keys)})
    history = store.get_historical_features(asked, ["about:basket", "about:busy"]).to_df().set_index("user_id")
    for place, user in enumerate(keys):
        week = [row for row in ROWS if row.user == user and monday - 7 * DAY <= row.at < monday]
        known = any(row.user == user and row.at < monday for row in ROWS)
        assert found["busy"][place] == (len(week) > 2 if known else None)
        basket = found["basket"][place]
        assert (basket is None) == (not week)
        assert not week or abs(basket - sum(row.amount for row in week) / len(week)) < 1e-9
        assert pd.isna(history.loc[user, "basket"]) if basket is None else history.loc[user, "basket"] == basket
    store.materialize_incremental(FIRST + timedelta(days=19))
    assert _online(store, keys)["basket"] != found["basket"]


def _online(store: Any, users: list[int]) -> dict[str, list[Any]]:
    answer = store.get_online_features(["about:basket", "about:busy"], [{"user_id": user} for user in users])
    return dict(answer.to_dict())


def test_a_changed_view_over_views_costs_what_its_members_histories_hold(tmp_path: Path) -> None:
    """Rows are those of the histories it reads; what a row takes is known from its own last run."""
    repo = make_project(tmp_path, ROWS, specs=SPECS + MORE)
    apply(repo).materialize(FIRST, FIRST + timedelta(days=15))
    spec = tmp_path / "specs" / "shop.yaml"
    spec.write_text(spec.read_text().replace("rhythm.week > 2", "rhythm.week > 3"))
    project = Project.at(repo)
    compiled = compile_project(project)
    (cost,) = estimate(project, compiled, plan(tmp_path)).views
    assert cost.view == "about"
    histories = [served_history(project.history(name)) for name in ("activity", "rhythm")]
    held = [pq.read_metadata(part.path).num_rows for each in histories if each is not None for part in each.parts()]
    assert cost.rows.value == sum(held) > 0
    assert cost.seconds.value is not None
    assert cost.history_bytes.value is not None
