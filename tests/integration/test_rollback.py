"""`limner rollback`: the version before, offline, online and in the registry; and forward again."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import limner
from limner.feature_repo.apply import apply as apply_plan
from limner.feature_repo.plan import plan
from limner.feature_repo.rollback import rollback
from limner.language.errors import LimnerError
from tests.integration.feast_project import DAY, FIRST, apply, events
from tests.integration.versions import SPECS, axes, make_versions, orders, write_weights

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("views"),
    pytest.mark.usefixtures("marking"),
]
ROWS = events(count=200, users=8, days=20, seed=9)
USERS = list(range(1, 9))
END = FIRST + 12 * DAY
WIDER = SPECS.replace('{count: "*", over: 7d}', '{count: "*", over: 14d}\n  fresh: {count: "*", over: 1d}')


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """Applied and materialized as SPECS say."""
    made = make_versions(tmp_path / "project", ROWS)
    apply(made).materialize(FIRST, END)
    return made


def change(repo: Path, specs: str) -> Any:
    """Edit the specs and apply them."""
    (repo.parent / "specs" / "shop.yaml").write_text(specs)
    return apply(repo)


def offline(repo: Path, feature: str, at: Any) -> list[Any]:
    from feast import FeatureStore

    frame = pd.DataFrame({"user_id": USERS, "event_timestamp": [at] * len(USERS)})
    got = FeatureStore(repo_path=str(repo)).get_historical_features(frame, [f"taste:{feature}"]).to_df()
    return list(got[feature])


def online(repo: Path, feature: str) -> list[Any]:
    direct = limner.Store(repo)
    found = direct.read("taste", USERS, [feature]).column(feature).to_pylist()
    direct.close()
    return found


def test_back_and_forward_again(repo: Path) -> None:
    """Values, profiles and the registry are those of the version; runs continue it; nothing is computed again."""
    change(repo, WIDER).materialize_incremental(END + DAY)
    assert online(repo, "orders") == [orders(ROWS, user, 14, END + DAY) for user in USERS]
    histories = repo.parent / "data" / "history" / "taste"
    before = {path: path.stat().st_mtime_ns for path in histories.rglob("*.parquet")}

    (step,) = rollback(repo.parent, ["taste"])
    assert online(repo, "orders") == [orders(ROWS, user, 7, END) for user in USERS]
    assert offline(repo, "orders", END) == [orders(ROWS, user, 7, END) for user in USERS]
    store = apply_nothing(repo)
    assert [f.name for f in store.get_feature_view("taste").features] == ["likes", "orders"]
    service = store.get_feature_service("everything")
    assert [f.name for p in service.feature_view_projections for f in p.features] == ["likes", "orders", "looks"]
    got = store.get_online_features(service, [{"user_id": 1}]).to_dict()
    assert got["orders"] == [orders(ROWS, 1, 7, END)]
    (changed,) = [each for each in plan(repo.parent).views if each.view == "taste"]
    assert changed.action == "changed"
    assert changed.fingerprint == step.before

    store.materialize_incremental(END + 2 * DAY)  # what runs at night goes on with the version that is served
    assert online(repo, "orders") == [orders(ROWS, user, 7, END + 2 * DAY) for user in USERS]
    assert {path: path.stat().st_mtime_ns for path in before} == before

    rollback(repo.parent, ["taste"])
    assert online(repo, "orders") == [orders(ROWS, user, 14, END + DAY) for user in USERS]
    assert [str(change) for change in plan(repo.parent).views] == ["looks: unchanged", "taste: unchanged"]
    assert plan(repo.parent).empty, "the profile has its features again, too"
    apply_nothing(repo).materialize_incremental(END + 3 * DAY)
    assert online(repo, "fresh") == [orders(ROWS, user, 1, END + 3 * DAY) for user in USERS]


def apply_nothing(repo: Path) -> Any:
    from feast import FeatureStore

    return FeatureStore(repo_path=str(repo))


def test_the_version_before_can_be_applied_from_its_spec_too(repo: Path) -> None:
    """After a rollback, putting the spec back is all that is left to do."""
    change(repo, WIDER).materialize_incremental(END + DAY)
    rollback(repo.parent, ["taste"])
    (repo.parent / "specs" / "shop.yaml").write_text(SPECS)
    assert plan(repo.parent).empty
    apply_plan(plan(repo.parent))


def test_what_is_applied_and_not_yet_served_is_withdrawn(repo: Path) -> None:
    """Also how a rollback that was killed before it reached the registry is finished."""
    change(repo, WIDER)
    (step,) = rollback(repo.parent, ["taste"])
    assert step.pending
    assert [f.name for f in apply_nothing(repo).get_feature_view("taste").features] == ["likes", "orders"]
    apply_nothing(repo).materialize_incremental(END + DAY)
    assert online(repo, "orders") == [orders(ROWS, user, 7, END + DAY) for user in USERS]


def test_a_rollback_that_was_killed_is_finished_by_another(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values have moved, the registry has not: the same command moves it, and nothing forward again."""
    change(repo, WIDER).materialize_incremental(END + DAY)
    with monkeypatch.context() as patch:
        patch.setattr("limner.feature_repo.rollback._registry", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            rollback(repo.parent, ["taste"])
    assert online(repo, "orders") == [orders(ROWS, user, 7, END) for user in USERS]
    (step,) = rollback(repo.parent, ["taste"])
    assert step.pending
    assert online(repo, "orders") == [orders(ROWS, user, 7, END) for user in USERS]
    assert [f.name for f in apply_nothing(repo).get_feature_view("taste").features] == ["likes", "orders"]


def test_views_that_share_an_encoder_go_back_together(repo: Path) -> None:
    """One alone is refused, with the command that does it; its weights being gone, it is served and says so."""
    write_weights(repo.parent, 2)
    apply(repo).materialize_incremental(END + DAY)
    with pytest.raises(LimnerError, match="limner rollback looks taste"):
        rollback(repo.parent, ["taste"])
    assert axes(online(repo, "likes")) == {2}
    steps = rollback(repo.parent, ["taste", "looks"])
    assert axes(online(repo, "likes")) == axes(offline(repo, "likes", END)) == {1}
    assert all("files are others now" in step.frozen for step in steps)
    with pytest.raises(LimnerError, match="its encoder's files are others"):
        apply_nothing(repo).materialize_incremental(END + 2 * DAY)
    write_weights(repo.parent, 1)
    apply_nothing(repo).materialize_incremental(END + 2 * DAY)
    assert axes(online(repo, "likes")) == {1}


def test_views_that_were_never_served_together_do_not_go_back_together(repo: Path) -> None:
    """`looks` has changed once more since the encoder did: the versions before are of two encoders."""
    write_weights(repo.parent, 2)
    apply(repo).materialize_incremental(END + DAY)
    narrower = SPECS.replace('"a {kind}", encoder: bert, over: 20d', '"a {kind}", encoder: bert, over: 10d')
    change(repo, narrower).materialize_incremental(END + DAY)
    with pytest.raises(LimnerError, match="have never been served together"):
        rollback(repo.parent, ["taste", "looks"])
    assert axes(online(repo, "likes")) == {2}


def test_a_request_view_keeps_the_features_it_reads(repo: Path) -> None:
    """Going back to before they were there is refused."""
    reading = """
---
request_view: now
entity: user
features:
  half: {expression: "taste.fresh / 2"}
"""
    change(repo, WIDER + reading).materialize_incremental(END + DAY)
    with pytest.raises(LimnerError, match=r"request view now reads taste\.fresh, which the version before has not"):
        rollback(repo.parent, ["taste"])
    assert online(repo, "orders") == [orders(ROWS, user, 14, END + DAY) for user in USERS]


def test_where_there_is_nothing_to_go_back_to(repo: Path, tmp_path: Path) -> None:
    """One message each, and nothing is changed."""
    with pytest.raises(LimnerError, match="only ever been served as it is now"):
        rollback(repo.parent, ["taste"])
    with pytest.raises(LimnerError, match="no feature view 'tast' in the registry: did you mean 'taste'"):
        rollback(repo.parent, ["tast"])
    change(repo, WIDER).materialize_incremental(END + DAY)
    served = online(repo, "orders")
    for folder in (repo.parent / "data" / "history" / "taste").iterdir():
        if folder.is_dir() and folder.name != plan(repo.parent).views[1].fingerprint:
            (folder / "manifest.json").unlink()
    with pytest.raises(LimnerError, match=r"is gone .* change the spec back"):
        rollback(repo.parent, ["taste"])
    assert online(repo, "orders") == served
    other = make_versions(tmp_path / "other", ROWS[:20])
    apply(other)
    with pytest.raises(LimnerError, match="has never been materialized"):
        rollback(other.parent, ["taste"])
