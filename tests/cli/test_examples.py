"""`limner test`: examples that hold, and examples that do not."""

import json
from pathlib import Path

import pytest

from limner.cli.commands.init import create
from tests.running import Limner

GOOD = """
examples:
  - rows: {events: [{user_id: 7, at: "2026-01-05T10:00:00Z", amount: "2.5"}, {user_id: 7, at: "2026-01-06T10:00:00Z"}]}
    at: "2026-01-07T00:00:00Z"
    expect: {spend: 2.5, events: 2, mean: 2.5, newest: "2026-01-06T10:00:00Z", kinds: null, amount: null}
  - description: nobody is known yet
    rows: {events: [{user_id: 7, at: "2026-01-05T10:00:00Z"}]}
    at: "2026-01-04T00:00:00Z"
    expect: {spend: null}
"""
VIEW = """
entity: user
join_keys: {user_id: int}
---
source: events
path: events.csv
event_timestamp: at
clean: {cast: {user_id: int, amount: float}}
---
feature_view: spending
entity: user
source: events
every: 1d
features:
  spend: {sum: amount, over: 7d}
  events: {count: "*"}
  mean: {mean: amount}
  newest: {last: event_timestamp}
  kinds: {top: 2, of: kind}
  amount: {latest: amount}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose data are a CSV file of one row."""
    (tmp_path / "feature_repo").mkdir()
    (tmp_path / "feature_repo" / "feature_store.yaml").write_text("batch_engine: {type: limner}\n")
    (tmp_path / "specs").mkdir()
    (tmp_path / "events.csv").write_text("user_id,at,amount,kind\n1,2026-01-01,3,a\n")
    return tmp_path


def test_examples_that_hold(project: Path, limner: Limner) -> None:
    (project / "specs" / "spending.yaml").write_text(VIEW + GOOD)
    ended = limner("-C", project, "test")
    assert ended.code == 0, ended.err
    assert "2 of 2 examples hold" in ended.out
    assert not (project / "data").exists()


def test_an_example_that_fails_says_what_was_found(project: Path, limner: Limner) -> None:
    (project / "specs" / "spending.yaml").write_text(VIEW + GOOD.replace("events: 2,", "events: 3,"))
    ended = limner("-C", project, "test", "spending")
    assert ended.code == 1
    assert "FAILED spending, example 1" in ended.out
    assert "events: expected 3, found 2" in ended.out
    assert "1 of 2 examples hold" in ended.out
    ended = limner("-C", project, "test", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["passed"], found["failed"]) == (1, 1, 1)
    assert found["examples"][0]["differences"] == [{"feature": "events", "expected": 3, "found": 2}]


def test_a_view_that_is_not_there(project: Path, limner: Limner) -> None:
    (project / "specs" / "spending.yaml").write_text(VIEW)
    ended = limner("-C", project, "test", "spendin")
    assert ended.code == 1
    assert "did you mean 'spending'?" in ended.err


def test_a_plan_refuses_a_spec_whose_examples_fail(project: Path, limner: Limner) -> None:
    """With the place of the value, and what was found."""
    create(project / "shop", bare=True)
    (project / "shop" / "events.csv").write_text((project / "events.csv").read_text())
    spec = project / "shop" / "specs" / "spending.yaml"
    spec.write_text(VIEW + GOOD)
    assert limner("-C", project / "shop", "plan").code == 0
    spec.write_text(VIEW + GOOD.replace("mean: 2.5", "mean: 2"))
    ended = limner("-C", project / "shop", "plan")
    assert ended.code == 1
    assert "examples[0].expect.mean: the example expects 2, and the view gives 2.5: correct one of them" in ended.err
    assert "spending.yaml:25:43" in ended.err
