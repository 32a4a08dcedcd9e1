"""A view that goes back takes the request views that read it along."""

from pathlib import Path

import pytest
from feast import FeatureStore

import limner
from limner.feature_repo.apply import apply
from limner.feature_repo.plan import plan
from limner.feature_repo.rollback import rollback
from limner.language.errors import LimnerError
from tests.integration.feast_project import FIRST, SPECS, events, make_project

REQUESTS = """
---
request_view: now
entity: user
request: {words: float}
features:
  more: {expression: words > activity.orders_7d}
---
profile: momentary
features: [now]
"""
END = FIRST.replace(month=2)
pytestmark = pytest.mark.integration


def test_request_views_read_the_version_that_is_served(tmp_path: Path) -> None:
    """Their types, and what Feast checks of the features that they read; what is not there is refused."""
    repo = make_project(tmp_path, events(80, users=4), specs=SPECS + REQUESTS)
    spec = repo.parent / "specs" / "shop.yaml"
    apply(plan(repo.parent))
    FeatureStore(repo_path=str(repo)).materialize(FIRST, END)
    first = spec.read_text()
    spec.write_text(first.replace('orders: {count: "*"', "orders: {description: Orders., mean: amount"))
    apply(plan(repo.parent))
    FeatureStore(repo_path=str(repo)).materialize(FIRST, END)
    rollback(repo.parent, ["activity"])
    store, own = FeatureStore(repo_path=str(repo)), limner.Store(repo)
    stored = own.profile("activity", 1)
    assert stored is not None
    assert isinstance(stored["orders_7d"], int)
    rows = [{"user_id": 1, "words": stored["orders_7d"] + 0.5}]
    assert store.get_online_features(store.get_feature_service("momentary"), rows).to_dict()["more"] == [True]
    assert own.profile("momentary", 1, request={"words": stored["orders_7d"]}) == {"user_id": 1, "more": False}
    spec.write_text(first)
    assert plan(repo.parent).empty

    spec.write_text(
        first.replace("over: [7d]}\n  spend", "over: [7d, 14d]}\n  spend").replace("orders_7d", "orders_14d")
    )
    apply(plan(repo.parent))
    FeatureStore(repo_path=str(repo)).materialize(FIRST, END)
    with pytest.raises(LimnerError, match=r"request view now reads activity.orders_14d, which the version before"):
        rollback(repo.parent, ["activity"])
    assert [view.name for view in own.request_views()] == ["now"]
    own.close()
