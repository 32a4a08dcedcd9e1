"""`limner show`: what a view is, whatever of it is online; and profiles of which some is not computed yet."""

import json
from pathlib import Path

from limner.workers.online.writer import OnlineWriter
from tests.running import Limner
from tests.workers.online.profiles import rows, schema


def test_a_view_is_shown_before_anything_is_online(limner: Limner, project: Path) -> None:
    """Also one that never will be: its features follow from the specs."""
    done = limner("-C", project, "show", "user_activity", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["view"] == "user_activity"
    why = json.loads(done.out)["not_carried"]
    plain = limner("-C", project, "show", "user_activity")
    assert f"The next run computes from all rows of its windows: {why}." in " ".join(plain.out.split())


def test_a_key_that_looks_like_a_view_is_a_key(limner: Limner, project: Path) -> None:
    """A name that no view has is looked for among the entities."""
    done = limner("-C", project, "show", "alice")
    assert done.code == 1
    assert "there are no online values yet" in done.err


def test_what_a_profile_declares_and_no_run_computed_is_null(limner: Limner, project: Path) -> None:
    with OnlineWriter(project / "data" / "online.db") as writer:
        writer.replace(schema(), [rows([1, 2], [10.0, 20.0])], loaded="a", as_of=0)
        writer.set_profiles({"all": {"taste": ["spend", "visits"], "newcomer": ["x"]}})
    done = limner("-C", project, "show", "2", "--profile", "all", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["views"] == {"taste": {"spend": 20.0, "visits": None}, "newcomer": None}
