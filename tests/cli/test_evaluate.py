"""`limner evaluate`: the verdict, the figures beside baselines, a report; what is not so good is no failure."""

import json
from pathlib import Path

import pytest

from limner.workers.evaluation.versions import run
from tests.integration.feast_project import declared
from tests.running import Limner
from tests.workers.models.world import SPECS, orders, write

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A project with a model of who stops ordering."""
    declared(tmp_path, SPECS.replace("LEARNER", "logistic"))
    write(tmp_path, orders())
    return tmp_path


def test_a_model_is_fitted_evaluated_and_reported(shop: Path, limner: Limner) -> None:
    """All of its versions as JSON, one as text; what cannot be is said."""
    none = limner("-C", shop, "evaluate", "churn")
    assert (none.code, "has no version of its definition as it is" in none.err) == (1, True)
    for cut_off in ("2026-01-28", "2026-04-01", "2026-05-01"):
        limner("-C", shop, "fit", "churn", "--as-of", cut_off, "--allow-suspicious")

    every = limner("-C", shop, "evaluate", "churn", "--all", "--as-of", "2026-06-01", "--json")
    assert every.code == 0, every.err
    found = json.loads(every.out)
    assert [each["cut_off"][:10] for each in found] == ["2026-01-28", "2026-04-01", "2026-05-01"]
    assert [each["measured_on"] for each in found] == ["later", "later", "later"]
    assert found[1]["evaluation"]["decides"] == "ROC-AUC"
    assert {each["month"] for each in found[1]["drift"]} >= {"2026-01", "2026-04", "2026-05"}
    assert all(Path(each["report"]).is_file() for each in found)

    plain = limner("-C", shop, "evaluate", "churn", "--version", found[1]["version"][:8], "--out", shop / "one.html")
    assert plain.code == 0, plain.err
    assert "churn · version" in plain.out
    assert "in ROC-AUC" in plain.out
    assert "drift of the score" in plain.out
    assert (shop / "one.html").read_text().startswith("<!doctype html>")

    for arguments, said in (
        (["--all", "--out", "x.html"], "--out is for one report, and there are 3 versions"),
        (["--version", "nothing"], "model churn has no version 'nothing'"),
        (["--version", found[2]["version"], "--as-of", "2026-04-02"], "which is later: see --as-of"),
    ):
        ended = limner("-C", shop, "evaluate", "churn", *arguments)
        assert (ended.code, said in ended.err) == (1, True), ended.err
    assert limner("-C", shop, "evaluate", "churn", "--all", "--version", "a").code == 2
    assert "did you mean 'churn'" in limner("-C", shop, "evaluate", "chun").err

    changed = SPECS.replace("LEARNER", "boosting")
    (shop / "specs" / "shop.yaml").write_text(changed)
    ended = limner("-C", shop, "evaluate", "churn", "--version", found[1]["version"])
    assert (ended.code, "is of an earlier definition" in ended.err) == (1, True)
    assert run.REPORT == "report.html"
