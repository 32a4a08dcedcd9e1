"""Models through stock Feast: fit, plan, apply, materialize, read; then a new version, and back."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from limner.feature_repo.plan import plan
from limner.feature_repo.project import Project
from limner.feature_repo.rollback import rollback
from limner.workers.models.contents import read_learned
from limner.workers.models.run import fit_model
from limner.workers.models.speaking import Speaking
from limner.workers.models.versions import registered
from limner.workers.models.why import why
from limner.workers.report import silent
from tests.integration.feast_project import apply, declared
from tests.workers.models.world import DAY, FIRST, SPECS, orders, write

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("models"),
    pytest.mark.usefixtures("in_process"),
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = FIRST + 400 * DAY


def _moment(instant: int) -> datetime:
    return EPOCH + timedelta(microseconds=instant)


def _project(root: Path) -> Path:
    repo = declared(root, SPECS.replace("LEARNER", "logistic"))
    write(root, orders())
    return repo


def _fit(repo: Path, cut_off: int) -> str:
    project = Project.at(repo)
    (made,) = fit_model(project.root, project.settings, "churn", silent, now=NOW, as_of=cut_off)
    assert made.registered
    return made.version.id


def _online(store: Any, users: list[int]) -> list[float | None]:
    answer = store.get_online_features(["outlook:churn"], [{"user_id": user} for user in users])
    return list(answer.to_dict()["churn"])


def _offline(store: Any, users: list[int], at: int, names: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame({"user_id": users, "event_timestamp": [_moment(at)] * len(users)})
    return store.get_historical_features(frame, names).to_df().set_index("user_id").loc[users]


INPUTS = ["spend:orders_30d", "spend:orders_7d", "spend:recent", "visits:gifts"]


def test_a_version_speaks_once_it_is_applied_and_readers_can_go_back(tmp_path: Path) -> None:
    """What a reader is told offline and online is what the version says of the features as of the instant."""
    repo, users = _project(tmp_path), list(range(1, 61))
    first, second, end = FIRST + 90 * DAY, FIRST + 120 * DAY, FIRST + 140 * DAY
    old = _fit(repo, first)
    store = apply(repo)
    store.materialize(_moment(FIRST + 60 * DAY), _moment(end))
    data = Project.at(repo).settings.data
    said = {old: read_learned(data, "churn", old)}
    before = _online(store, users)
    assert _offline(store, users, first - DAY, ["outlook:churn"])["churn"].isna().all()

    new = _fit(repo, second)
    said[new] = read_learned(data, "churn", new)
    changes = {change.view: change for change in plan(tmp_path).views}
    assert {name: change.action for name, change in changes.items()} == {
        "outlook": "changed", "spend": "unchanged", "visits": "unchanged",
    }  # fmt: skip
    assert [str(reason) for reason in changes["outlook"].reasons] == [
        "model churn has a new version with cut-off 2026-05-01"
    ]
    assert changes["outlook"].rebuild is not None
    assert _online(store, users) == before
    store = apply(repo)
    store.materialize(_moment(FIRST + 60 * DAY), _moment(end))
    after = _online(store, users)
    assert after != before
    for at, version in ((first, old), (second - DAY, old), (second, new), (end, new)):
        found = _offline(store, users, at, [*INPUTS, "outlook:churn"])
        rows = found[[name.partition(":")[2] for name in INPUTS]].to_numpy(float)
        known = ~found["orders_7d"].isna().to_numpy()
        assert known.sum() > 20
        assert found["churn"].isna().to_numpy().tolist() == (~known).tolist()
        assert found["churn"].to_numpy()[known].tolist() == said[version].probability(rows[known]).tolist()
        if at == end:
            assert [value for value in after if value is not None] == found["churn"].to_numpy()[known].tolist()

    explained = why(tmp_path, data, "7", "churn")
    assert (explained.version, explained.probability) == (new, after[6])
    assert abs(explained.base + sum(part.adds for part in explained.parts) - explained.score) < 1e-9
    inputs = _offline(store, [7], end, INPUTS).iloc[0]
    read = {name.replace(":", "."): inputs[name.partition(":")[2]] for name in INPUTS}
    assert {part.feature: part.value for part in explained.parts} == {
        name: None if pd.isna(value) else value for name, value in read.items()
    }

    rollback(tmp_path, ["outlook"])
    assert why(tmp_path, data, "7", "outlook.churn").version == old
    assert _online(store, users) == before
    assert {change.view: change.action for change in plan(tmp_path).views}["outlook"] == "changed"
    assert set(registered(data, "churn")) == {old, new}
    assert Speaking(((first, said[old]), (second, said[new]))).at(second - 1) == said[old]
