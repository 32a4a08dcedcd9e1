"""`limner fit`, `limner models` and `limner show --why` of segments: who they are, who moves, why one is in one."""

import json
from pathlib import Path

import pytest

from tests.integration.feast_project import declared
from tests.running import Limner
from tests.workers.models.groups import SPECS, bought, write

pytestmark = pytest.mark.usefixtures("in_process")


def test_segments_are_made_listed_and_explained(tmp_path: Path, limner: Limner) -> None:
    declared(tmp_path, SPECS)
    write(tmp_path, bought(users=range(1, 41)))
    here = ("-C", tmp_path)
    for cut_off in ("2026-04-01", "2026-05-01"):
        made = limner(*here, "fit", "groups", "--as-of", cut_off)
        assert made.code == 0, made.err
        assert f"40 entities as of {cut_off}" in made.out
        assert "4 segments, silhouette 0." in made.out
    listed = limner(*here, "models", "groups")
    assert listed.code == 0, listed.err
    assert "10 (25%)" in listed.out
    assert "of 40 entities move" in listed.out
    first, second = json.loads(limner(*here, "models", "groups", "--json").out)
    assert [each["id"] for each in first["segments"]] == [1, 2, 3, 4]
    assert "changes" not in first
    assert second["changes"]["version"] == first["version"]
    assert second["examples"]["last"].startswith("2026-05-01")

    for line in (["apply", "--yes"], ["materialize", "2026-04-20", "2026-05-10"]):
        done = limner(*here, *line)
        assert done.code == 0, done.err
    said = json.loads(limner(*here, "show", "7", "--why", "group", "--json").out)
    served = json.loads(limner(*here, "show", "7", "--profile", "told", "--json").out)["views"]["told"]
    assert (said["id"], said["name"]) == (served["group"], served["called"])
    told = limner(*here, "show", "7", "--why", "group")
    assert told.out.startswith(f"7 · told.group: segment {said['id']} ({said['name']})")
    assert f"from segment {said['other']['id']}" in told.out
