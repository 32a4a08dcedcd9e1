"""`limner plan` estimates what the next run costs, and the next run agrees."""

import json
from pathlib import Path
from typing import Any

import pytest

from limner.cli.commands.plan import as_markdown, make_with_costs, show
from limner.feature_repo.costs import PlanCost, ViewCost
from limner.workers.costs import texts as counting
from tests.integration.feast_project import DAY, FIRST, Event, apply, events
from tests.integration.versions import SPECS, make_versions, write_weights

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("views"),
    pytest.mark.usefixtures("marking"),
]
ROWS = events(count=400, users=12, days=20, seed=8)
END = FIRST + 15 * DAY


def planned(root: Path) -> dict[str, ViewCost]:
    _, costs = make_with_costs(root, cost=True)
    assert isinstance(costs, PlanCost)
    return {each.view: each for each in costs.views}


def test_before_the_first_run_rows_and_texts_are_known_and_time_is_not(tmp_path: Path) -> None:
    """Nothing is invented; nothing is computed or recorded; Triton is not needed."""
    repo = make_versions(tmp_path / "project", ROWS)
    before = sorted((tmp_path / "project").rglob("*"))
    costs = planned(repo.parent)
    taste = costs["taste"]
    assert (taste.rows.value, taste.rows.about) == (400, False)
    (texts,) = taste.texts
    kinds = {row.kind for row in ROWS}
    assert (texts.distinct.value, texts.missing.value, texts.missing.about) == (len(kinds), len(kinds), False)
    for amount in (taste.seconds, taste.gpu_seconds, taste.history_bytes, taste.online_bytes):
        assert (amount.value, amount.note) == (None, "no run yet")
    made = set((tmp_path / "project").rglob("*")) - set(before)
    assert {path.name for path in made} <= {
        "data",
        "history",
        "taste",
        "looks",
        ".limner-cache",
        "file-hashes.json",
        "registry.db",
    }


def test_after_a_run_all_is_known_and_the_next_run_agrees(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Rows and texts exactly; room within a factor; where rates are from is said."""
    repo = make_versions(tmp_path / "project", ROWS)
    apply(repo).materialize(FIRST, END)
    changed = SPECS.replace('embed: "{kind}"', 'embed: "{kind} {big}"').replace("over: 7d", "over: 9d")
    (repo.parent / "specs" / "shop.yaml").write_text(changed)
    result, costs = make_with_costs(repo.parent, cost=True)
    assert costs is not None
    (cost,) = costs.views
    texts = {f"{row.kind} {str(row.big).lower()}" for row in ROWS if row.at < END}
    assert cost.texts[0].missing.value == len(texts)
    assert cost.seconds.value is not None
    assert cost.texts[0].gpu_seconds.value == 0, "its runs were on a CPU"
    assert any("from 1 run of this view" in rate for rate in cost.rates)
    assert any("characters/s on a CPU from " in rate for rate in cost.rates)
    show(result, costs)
    said = capsys.readouterr().out
    assert f"encodes {len(texts)} of {len(texts)} distinct texts with bert" in said
    assert "values change" in said
    page = as_markdown(result, costs)
    assert f"## Plan `{result.checksum}`" in page
    assert "reads 400 rows" in page
    apply(repo).materialize_incremental(END)
    done = json.loads(json.dumps(_last_summary(repo)))["taste"]["cost"]
    assert done["encoded"]["bert"]["texts"] == len(texts)
    assert cost.history_bytes.value == pytest.approx(done["history_bytes"], rel=0.5)
    assert cost.online_bytes.value == pytest.approx(done["online_bytes"], rel=0.5)
    assert planned(repo.parent) == {}, "nothing is left to compute"


def _last_summary(repo: Path) -> Any:
    from limner.workers.ledger import Ledger

    ledger = Ledger(f"sqlite:///{repo.parent / 'data' / 'ledger.db'}")
    try:
        return ledger.runs(1)[0].summary
    finally:
        ledger.close()


def test_a_text_that_two_views_share_is_counted_once(tmp_path: Path) -> None:
    """The later view gets it for nothing, and the sum has it once."""
    repo = make_versions(tmp_path / "project", ROWS, SPECS.replace('"a {kind}"', '"{kind}"'))
    write_weights(repo.parent, 2)
    _, costs = make_with_costs(repo.parent, cost=True)
    assert costs is not None
    assert costs.total is not None
    first, second = (each.texts[0].missing.value for each in costs.views)
    assert (first, second) == (len({row.kind for row in ROWS}), 0)
    assert costs.total.texts[0].missing.value == first


def test_a_large_source_is_sampled_and_says_so(tmp_path: Path) -> None:
    """A sample of a tenth gives the number of texts about right, the same at every plan."""
    many = [Event(row.user, row.at, row.amount, f"text {n % 900}") for n, row in enumerate(events(count=6000))]
    repo = make_versions(tmp_path / "project", many)
    from limner.feature_repo.compile import compile_project
    from limner.feature_repo.project import Project

    plan = compile_project(Project.at(repo)).plans["taste"]
    ask = counting.Ask(plan, 2**60, {"events": 6000})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "EXACT_ROWS", 1000)
        patch.setattr(counting, "SAMPLE_ROWS", 600)
        (one,) = counting._count(ask, _folder(tmp_path / "one"))
        (two,) = counting._count(ask, _folder(tmp_path / "two"))
    assert one == two
    assert one.about
    assert one.sampled == 600
    assert 450 < one.missing < 1800
    (exact,) = counting._count(ask, _folder(tmp_path / "three"))
    assert (exact.missing, exact.about) == (900, False)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_counting_ends_when_its_time_is_up(tmp_path: Path) -> None:
    """The plan says so instead of waiting."""
    repo = make_versions(tmp_path / "project", ROWS)
    from limner.feature_repo.compile import compile_project
    from limner.feature_repo.project import Project

    plan = compile_project(Project.at(repo)).plans["taste"]
    assert counting.count_texts([counting.Ask(plan, 2**60, {"events": 400})], seconds=0.01) == [
        "counting its texts took more than 0 s"
    ]
