"""`limner plan` and `limner apply`: what is said, what is refused."""

import json
import re
from pathlib import Path

from running import Limner


def test_apply_is_held_to_the_plan_that_was_reviewed(limner: Limner, project: Path) -> None:
    """The checksum that `plan` prints applies; after an edit it does not, and nothing is registered."""
    planned = limner("-C", project, "plan")
    assert planned.code == 0, planned.err
    (checksum,) = re.findall(r"limner apply --plan ([0-9a-f]{12})$", planned.out, re.MULTILINE)
    assert json.loads(limner("-C", project, "plan", "--json").out)["checksum"] == checksum
    path = next(path for path in (project / "specs").glob("*.yaml") if "feature_view:" in path.read_text())
    before = path.read_text()
    path.write_text(before.replace("over: 30d", "over: 31d", 1).replace("every: 1d", "every: 12h", 1))
    assert path.read_text() != before
    refused = limner("-C", project, "apply", "--plan", checksum)
    assert refused.code == 1
    assert f"not {checksum}" in refused.err
    path.write_text(before)
    applied = limner("-C", project, "apply", "--plan", checksum, "--json")
    assert applied.code == 0, applied.err
    assert json.loads(limner("-C", project, "plan", "--json").out)["empty"]


def test_a_drop_needs_to_be_allowed(limner: Limner, project: Path) -> None:
    """Whoever asks, and whatever else is said: what is served is not dropped in passing."""
    assert limner("-C", project, "apply").code == 0
    for path in (project / "specs").glob("*.yaml"):
        text = path.read_text()
        kept = [d for d in text.split("---\n") if "feature_view:" not in d and "profile:" not in d]
        path.write_text("---\n".join(kept))
    planned = limner("-C", project, "plan")
    assert "--allow-drop" in planned.out
    refused = limner("-C", project, "apply", "--yes")
    assert refused.code == 1
    assert "drops what is served: feature view" in refused.err
    assert "limner apply --allow-drop" in refused.err
    assert limner("-C", project, "apply", "--allow-drop").code == 0
    assert json.loads(limner("-C", project, "plan", "--json").out)["empty"]
