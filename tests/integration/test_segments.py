"""Segments through stock Feast: fit, plan, apply, materialize, read; then a new version, and who moved."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from limner.feature_repo.garbage import find, remove
from limner.feature_repo.plan import plan
from limner.feature_repo.project import Project
from limner.workers.models.contents import read_segmentation
from limner.workers.models.run import fit_model
from limner.workers.models.segment_why import SegmentWhy
from limner.workers.models.versions import registered
from limner.workers.models.why import why
from limner.workers.report import silent
from tests.integration.feast_project import apply, declared
from tests.workers.models.groups import SPECS, bought, kind_of, write
from tests.workers.models.world import DAY, FIRST

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("models"),
    pytest.mark.usefixtures("in_process"),
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOLD = ["group", "called", "how_far"]
READ = ["orders", "amount", "taste"]
USERS = list(range(1, 61))


def _moment(instant: int) -> datetime:
    return EPOCH + timedelta(microseconds=instant)


def _fit(repo: Path, cut_off: int) -> str:
    project = Project.at(repo)
    (made,) = fit_model(project.root, project.settings, "groups", silent, now=FIRST + 400 * DAY, as_of=cut_off)
    return made.version.id


def _online(store: Any) -> pd.DataFrame:
    answer = store.get_online_features([f"told:{name}" for name in TOLD], [{"user_id": user} for user in USERS])
    return pd.DataFrame(answer.to_dict()).set_index("user_id")[TOLD]


def _offline(store: Any, at: int) -> pd.DataFrame:
    frame = pd.DataFrame({"user_id": USERS, "event_timestamp": [_moment(at)] * len(USERS)})
    names = [*(f"told:{name}" for name in TOLD), *(f"habits:{name}" for name in READ)]
    return store.get_historical_features(frame, names).to_df().set_index("user_id").loc[USERS]


def _explained(root: Path, user: int, online: pd.DataFrame) -> None:
    """What is told of a segment is what is served, and its parts add up."""
    said = why(root, Project.at(root / "feature_repo").settings.data, str(user), "told.group")
    assert isinstance(said, SegmentWhy)
    assert [said.id, said.name, said.nearest.distance] == online.loc[user, TOLD].tolist()
    assert said.other is not None
    assert said.other.distance >= said.nearest.distance
    total = sum(part.adds for part in said.parts)
    assert total == pytest.approx(said.other.distance**2 - said.nearest.distance**2, abs=1e-9)
    assert {part.feature for part in said.parts} == {f"habits.{name}" for name in READ}


def test_readers_are_told_segments_and_refits_keep_them(tmp_path: Path) -> None:
    """What a reader is told offline and online is what the version says of the features as of the instant."""
    repo = declared(tmp_path, SPECS.replace("[orders, amount]]\n", "[orders, amount, taste]]\n"))
    write(tmp_path, bought(users=range(1, 61)))
    first, second, end = FIRST + 90 * DAY, FIRST + 120 * DAY, FIRST + 140 * DAY
    assert {each.view: each.notes for each in plan(tmp_path).views}["told"] == (
        "model groups has no version yet, so what asks it is null: limner fit groups",
    )
    old = _fit(repo, first)
    store = apply(repo)
    store.materialize(_moment(FIRST + 60 * DAY), _moment(end))
    before = _online(store)
    assert _offline(store, first - DAY)[TOLD].isna().all().all()

    new = _fit(repo, second)
    changes = {change.view: change for change in plan(tmp_path).views}
    assert {name: change.action for name, change in changes.items()} == {"habits": "unchanged", "told": "changed"}
    assert [str(reason) for reason in changes["told"].reasons] == [
        "model groups has a new version with cut-off 2026-05-01"
    ]
    (said,) = changes["told"].notes
    assert said == f"model groups from 2026-05-01T00:00:00Z on, beside version {old}: 0 of 60 entities move"
    assert _online(store).equals(before)
    store = apply(repo)
    store.materialize(_moment(FIRST + 60 * DAY), _moment(end))
    after = _online(store)
    for user in (1, 2, 3, 4):
        _explained(tmp_path, user, after)
    assert after["group"].tolist() == before["group"].tolist()  # nobody has changed his ways
    assert len(set(zip((kind_of(user) for user in USERS), after["group"], strict=True))) == 4
    for at, version in ((first, old), (second - DAY, old), (second, new), (end, new)):
        content = read_segmentation(Project.at(repo).settings.data, "groups", version)
        found = _offline(store, at)
        columns = {
            "habits.orders": pa.array(found["orders"].tolist(), pa.float64()),
            "habits.amount": pa.array(found["amount"].tolist(), pa.float64(), from_pandas=True),
            "habits.taste": pa.array([list(each) for each in found["taste"]], pa.list_(pa.float32())),
        }
        for name, wanted in zip(TOLD, ("id", "name", "distance"), strict=True):
            assert found[name].tolist() == content.says(wanted, columns).to_pylist()
            if at == end:
                assert after[name].tolist() == found[name].tolist()

    _only_what_is_asked_stays(tmp_path, second, end, {old, new})


def _only_what_is_asked_stays(root: Path, cut_off: int, end: int, earlier: set[str]) -> None:
    """Versions of an earlier definition go when no view asks them, applied, served or kept."""
    repo, specs = root / "feature_repo", root / "specs" / "shop.yaml"
    specs.write_text(specs.read_text().replace("scale: log_zscore", "scale: minmax"))
    newest = _fit(repo, cut_off)
    assert _versions_to_go(root, keep=0) == set()
    store = apply(repo)
    store.materialize(_moment(FIRST + 60 * DAY), _moment(end))
    before = _online(store)
    assert _versions_to_go(root, keep=1) == set()
    assert _versions_to_go(root, keep=0) == earlier
    remove(root, find(root, keep=0).items, keep=0)
    assert set(registered(root / "data", "groups")) == {newest}
    assert _online(store).equals(before)


def _versions_to_go(root: Path, keep: int) -> set[str]:
    return {item.name.removeprefix("groups ") for item in find(root, keep).items if item.kind == "model version"}
