"""A model of sequences through stock Feast: fit, apply, materialize; what is read offline and online is one thing."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from limner.cli.serving import open_store
from limner.feature_repo.project import Project
from limner.workers.models.run import fit_model
from limner.workers.report import silent
from tests.integration.feast_project import apply, declared
from tests.workers.models.sequences.chains import DAY, SPECS, visits, write
from tests.workers.models.sequences.plain import Plain
from tests.workers.models.world import FIRST

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("models"),
    pytest.mark.usefixtures("in_process"),
]
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_training_sets_and_profiles_hold_what_the_version_says(tmp_path: Path) -> None:
    """Vectors and maps, through Feast."""
    repo = declared(tmp_path, SPECS.replace("epochs: 6", "epochs: 1"))
    rows, users = visits(users=15), list(range(1, 16))
    write(tmp_path, rows)
    cut_off, end = FIRST + 90 * DAY, FIRST + 120 * DAY
    project = Project.at(repo)
    (made,) = fit_model(project.root, project.settings, "habits", silent, now=end, as_of=cut_off)
    store = apply(repo)
    store.materialize(EPOCH + timedelta(microseconds=FIRST + 60 * DAY), EPOCH + timedelta(microseconds=end))
    names = ["behaviour:state", "behaviour:likely"]
    online = store.get_online_features(names, [{"user_id": user} for user in users]).to_dict()
    plain = Plain(tmp_path, made.version.id)
    for at in (cut_off - DAY, end):
        frame = pd.DataFrame({"user_id": users, "event_timestamp": [EPOCH + timedelta(microseconds=at)] * len(users)})
        found = store.get_historical_features(frame, names).to_df().set_index("user_id").loc[users]
        for place, user in enumerate(users):
            wanted = plain.state(plain.rows([row for row in rows if row.user == user], at, 30)) if at == end else None
            state, likely = found["state"].loc[user], dict(found["likely"].loc[user] or {})
            assert (None if state is None else list(state)) == wanted
            assert likely.keys() == plain.next(wanted, 3).keys()
            if at == end:
                assert online["state"][place] == wanted
                assert dict(online["likely"][place] or {}) == likely
    nearest = open_store(tmp_path).similar("behaviour", "state", (1,), 3)
    assert len(nearest) == 3
    assert all(-1 <= found.similarity <= 1 for found in nearest)
