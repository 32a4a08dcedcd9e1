"""`limner fit`, `limner models` and `limner show --why`, with real Ray."""

import json
from pathlib import Path

import pytest

from tests.integration.feast_project import declared
from tests.running import Limner
from tests.workers.models.world import SPECS, orders, write

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("cli")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    declared(root, SPECS.replace("LEARNER", "boosting"))
    write(root, orders())
    return root


def test_a_version_is_made_listed_and_explained(project: Path, limner: Limner) -> None:
    fit = ["-C", project, "fit", "churn", "--as-of", "2026-05-01"]
    first = limner(*fit)
    assert first.code == 0, first.err
    assert "cut-off 2026-05-01 00:00:00Z · registered" in first.out
    assert "learning from 779 examples" in first.err
    again = json.loads(limner(*fit, "--json").out)
    assert [(each["there"], each["registered"]) for each in again] == [(True, True)]
    (listed,) = json.loads(limner("-C", project, "models", "--json").out)
    assert listed["version"] == again[0]["version"]
    assert (listed["speaks"], listed["cut_off"]) == (True, "2026-05-01 00:00:00Z")
    assert "later examples: AUC 0." in limner("-C", project, "models", "churn").out
    runs = json.loads(limner("-C", project, "runs", "--json").out)
    assert [(run["command"], run["views"], run["status"]) for run in runs] == [
        ("fit", ["churn"], "done")
    ]  # the second had nothing to do

    planned = limner("-C", project, "plan")
    assert "feature view outlook: new" in planned.out
    for line in (["apply", "--yes"], ["materialize", "2026-04-20", "2026-05-10"]):
        done = limner("-C", project, *line)
        assert done.code == 0, done.err
    said = json.loads(limner("-C", project, "show", "7", "--why", "churn", "--json").out)
    served = json.loads(limner("-C", project, "show", "7", "--profile", "outlook", "--json").out)
    assert said["probability"] == served["views"]["outlook"]["churn"]
    assert abs(said["base"] + sum(part["adds"] for part in said["parts"]) - said["score"]) < 1e-9
    assert limner("-C", project, "show", "7", "--why", "churn").out.startswith("7 · outlook.churn = 0.")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["fit", "chrun"], "there is no model 'chrun': did you mean 'churn'?"),
        (
            ["fit", "churn", "--as-of", "2126-05-01"],
            "a version as of 2126-05-01T00:00:00Z would know what is not known yet",
        ),
        (["models", "chrun"], "there is no model 'chrun': did you mean 'churn'?"),
        (["show", "7", "--why", "orders_7d"], "no model gives 'orders_7d' in what is served"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else "",
)
def test_what_cannot_be_done_is_said(project: Path, limner: Limner, line: list[str], said: str) -> None:
    done = limner("-C", project, *line)
    assert done.code == 1
    assert said in done.err
