"""Models of texts through stock Feast: fit, plan, apply, materialize, read offline and online; then a new version."""

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from limner.cli.why import explain
from limner.feature_repo.plan import plan
from limner.feature_repo.project import Project
from limner.feature_repo.rollback import rollback
from limner.language.errors import LimnerError
from limner.workers.models.run import fit_model
from limner.workers.report import silent
from tests.integration.feast_project import apply, declared
from tests.workers.models.texts.world import DAY, FIRST, reviews, text, write

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("models"),
    pytest.mark.usefixtures("in_process"),
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = FIRST + 400 * DAY
NAMES = ["mood_bad_14d", "mood_good_60d", "recent", "likes_baby"]


def _moment(instant: int) -> datetime:
    return EPOCH + timedelta(microseconds=instant)


def _project(root: Path) -> Path:
    repo = declared(root, text("head"))
    write(root, reviews())
    return repo


def _fit(repo: Path, name: str, cut_off: int) -> None:
    project = Project.at(repo)
    (made,) = fit_model(project.root, project.settings, name, silent, now=NOW, as_of=cut_off)
    assert made.registered


def _online(store: Any, users: list[int]) -> dict[str, list[Any]]:
    answer = store.get_online_features([f"voice:{name}" for name in NAMES], [{"user_id": user} for user in users])
    return {name: [_plain(each) for each in answer.to_dict()[name]] for name in NAMES}


def _offline(store: Any, users: list[int], at: int) -> dict[str, list[Any]]:
    frame = pd.DataFrame({"user_id": users, "event_timestamp": [_moment(at)] * len(users)})
    names = [f"voice:{name}" for name in NAMES]
    found = store.get_historical_features(frame, names).to_df().set_index("user_id").loc[users]
    return {name: [_plain(each) for each in found[name]] for name in NAMES}


def _plain(value: Any) -> Any:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return [float(each) for each in value] if hasattr(value, "__len__") else value


def _explained(root: Path, served: dict[str, list[Any]], users: list[int], capsys: pytest.CaptureFixture[str]) -> None:
    """The texts behind a value make that value, and the table says what they say."""
    user, value = next((user, each) for user, each in zip(users, served["mood_good_60d"], strict=True) if each)
    capsys.readouterr()
    assert explain(root, str(user), "mood_good_60d", json=True) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["value"] == pytest.approx(value, abs=1e-6)
    assert (said["by"], said["cut_off"]) == ("mood", "2026-02-10 00:00:00Z")
    assert explain(root, str(user), "voice.mood_good_60d", json=False) == 0
    shown = capsys.readouterr().out
    assert f"{user} · voice.mood_good_60d = {value:.6g}" in shown
    assert said["texts"][0]["text"][:40] in shown
    with pytest.raises(LimnerError, match=r"did you mean 'voice\.mood_good_60d'"):
        explain(root, str(user), "voice.mood_goood_60d", json=True)


def test_what_a_version_says_is_the_same_offline_and_online(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo, users = _project(tmp_path), list(range(1, 16))
    first, second, end = FIRST + 40 * DAY, FIRST + 60 * DAY, FIRST + 80 * DAY
    for name in ("mood", "likes"):
        _fit(repo, name, first)
    store = apply(repo)
    store.materialize(_moment(FIRST + 30 * DAY), _moment(end))
    before = _online(store, users)
    assert before == _offline(store, users, end)
    assert sum(each is not None for each in before["mood_good_60d"]) > 10
    assert set(_offline(store, users, first - DAY)["mood_good_60d"]) == {None}
    _explained(tmp_path, before, users, capsys)

    _fit(repo, "mood", second)
    (change,) = plan(tmp_path).views
    assert change.action == "changed"
    assert [str(reason) for reason in change.reasons] == ["model mood has a new version with cut-off 2026-03-02"]
    assert _online(store, users) == before
    store = apply(repo)
    store.materialize(_moment(FIRST + 30 * DAY), _moment(end))
    after = _online(store, users)
    assert after == _offline(store, users, end)
    assert after["mood_good_60d"] != before["mood_good_60d"]
    assert after["likes_baby"] == before["likes_baby"]

    rollback(tmp_path, ["voice"])
    assert _online(store, users) == before
