"""Several views at once: keys of two columns, values at any instant, history without online, and one that fails."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import limner
from limner.language.errors import LimnerError
from tests.integration.feast_project import DAY, FIRST, SPECS, apply, events, expected, in_seconds, make_project, online

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("views"),
    pytest.mark.usefixtures("in_process"),
]
ROWS = events(count=300, users=12, days=20, seed=8)
MORE = """
---
source: sales
path: events/*.parquet
event_timestamp: at
---
source: extras
path: extras/*.parquet
event_timestamp: at
---
entity: visit
join_keys: {kind: string, user_id: int}
---
feature_view: visits
entity: visit
source: sales
every: event
features:
  bought: {count: "*", over: [2d, lifetime]}
---
feature_view: quiet
entity: user
source: extras
every: 12h
online: false
features:
  total: {sum: amount, default: -1}
---
profile: visiting
features: [visits, quiet, activity: [orders_7d]]
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, in_process: None) -> Any:
    """Three views, materialized to day 15."""
    root = tmp_path_factory.mktemp("views")
    make_project(root, ROWS, specs=SPECS + MORE)
    (root / "extras").symlink_to(root / "events")
    made = apply(root / "feature_repo")
    made.materialize(FIRST, FIRST + 15 * DAY)
    return made


def bought(kind: str, user: int, at: datetime, window: timedelta | None) -> int | None:
    """Brute force at any instant."""
    seen = [row for row in ROWS if (row.kind, row.user) == (kind, user) and row.at < at]
    return len([row for row in seen if window is None or row.at >= at - window]) if seen else None


def test_values_hold_at_any_instant_under_a_key_of_two_columns(store: Any) -> None:
    """`every: event`: exactly at an event, 1 µs after it, and 1 µs after it leaves the window."""
    micro = timedelta(microseconds=1)
    asked = []
    for row in ROWS[::9]:
        for at in (row.at, row.at + micro, row.at + 2 * DAY, row.at + 2 * DAY + micro):
            if at <= FIRST + 15 * DAY:
                asked.append((row.kind, row.user, at))
    frame = pd.DataFrame(asked, columns=["kind", "user_id", "event_timestamp"])
    table = store.get_historical_features(frame, ["visits:bought_2d", "visits:bought_lifetime"]).to_arrow()
    got = list(zip(*(table.column(name).to_pylist() for name in ("bought_2d", "bought_lifetime")), strict=True))
    assert got == [(bought(k, u, at, 2 * DAY), bought(k, u, at, None)) for k, u, at in asked]
    assert len(asked) > 100


def test_online_values_under_a_key_of_two_columns(store: Any) -> None:
    """Feast and the direct reader find the same pairs, in whatever order the keys come."""
    end = FIRST + 15 * DAY
    pairs = [(kind, user) for kind in ("book", "ünïcode", "absent") for user in range(1, 13)]
    wanted = [bought(kind, user, end, 2 * DAY) for kind, user in pairs]
    rows = [{"user_id": user, "kind": kind} for kind, user in pairs]
    assert store.get_online_features(["visits:bought_2d"], rows).to_dict()["bought_2d"] == wanted
    direct = limner.Store(store.repo_path)
    assert direct.read("visits", rows, ["bought_2d"]).column("bought_2d").to_pylist() == wanted
    assert direct.read("visits", pairs, ["bought_2d"]).column("bought_2d").to_pylist() == wanted


def test_a_view_that_is_not_online_has_a_history_only(store: Any) -> None:
    """Nothing of it is in the online file, nor in the profiles that are served; training sets have it."""
    direct = limner.Store(store.repo_path)
    assert [view.name for view in direct.views()] == ["activity", "visits"]
    assert set(direct.profiles()["visiting"]) == {"activity", "visits"}
    frame = pd.DataFrame({"user_id": [1], "event_timestamp": [FIRST + 3.5 * DAY]})
    got = store.get_historical_features(frame, ["quiet:total"]).to_df()["total"][0]
    assert got == pytest.approx(sum(row.amount for row in ROWS if row.user == 1 and row.at < FIRST + 3.5 * DAY))


def test_a_profile_over_two_entities(store: Any) -> None:
    """A profile asks for the keys of all its views."""
    direct = limner.Store(store.repo_path)
    found = direct.profile("visiting", {"user_id": 1, "kind": "book"})
    activity = expected(ROWS, 1, FIRST + 15 * DAY)
    assert activity is not None
    assert found == {
        "kind": "book",
        "user_id": 1,
        "bought_2d": bought("book", 1, FIRST + 15 * DAY, 2 * DAY),
        "bought_lifetime": bought("book", 1, FIRST + 15 * DAY, None),
        "orders_7d": activity["orders_7d"],
    }


def test_one_view_fails_and_the_others_go_on(store: Any) -> None:
    """The error names the view that failed and the run fails; the others' watermarks and values advance."""
    root = Path(store.repo_path).parent
    (root / "extras").unlink()
    with pytest.raises(LimnerError, match=r"^quiet: ") as caught:
        store.materialize_incremental(FIRST + 18 * DAY)
    assert "activity" not in str(caught.value)
    ends = {view.name: view.most_recent_end_time for view in store.list_feature_views()}
    assert ends == {"activity": FIRST + 18 * DAY, "visits": FIRST + 18 * DAY, "quiet": FIRST + 15 * DAY}
    assert online(store, [1, 2]) == [in_seconds(expected(ROWS, user, FIRST + 18 * DAY)) for user in (1, 2)]
    (root / "extras").symlink_to(root / "events")
    store.materialize_incremental(FIRST + 18 * DAY)
    ends = {view.name: view.most_recent_end_time for view in store.list_feature_views()}
    assert set(ends.values()) == {FIRST + 18 * DAY}
