"""Which views follow events, in which order, and why others cannot."""

import json
from pathlib import Path

import pytest

from limner.language.errors import LimnerError
from limner.language.repo import Specs, load_texts
from limner.workers.history.served import forget, pointers, switch
from limner.workers.plan import plan_view
from limner.workers.run import materialize
from limner.workers.stream.choose import Streamed, streamed
from tests.workers.stream.world import BEGIN, SECOND, click, context

SPECS = """
entity: user
join_keys: {user_id: int}
---
source: clicks
path: data/clicks
format: jsonl
event_timestamp: at
created_timestamp: received
clean: {cast: {user_id: int, amount: float}}
stream: {id: event_id, lateness: 2m}
---
source: facts
path: data/facts.csv
event_timestamp: at
clean: {cast: {user_id: int}}
---
feature_view: z_now
entity: user
source: clicks
every: event
features: {spend: {sum: amount, over: 1m}}
---
feature_view: daily
entity: user
source: clicks
every: 1d
features: {clicks: {count: "*"}}
---
feature_view: known
entity: user
source: facts
every: event
features: {city: {latest: city}}
---
feature_view: b_over
entity: user
views: [z_now]
every: event
features: {much: {expression: z_now.spend > 5}}
---
feature_view: a_top
entity: user
views: [b_over, z_now]
every: event
features: {both: {expression: b_over.much and z_now.spend < 50}}
---
feature_view: on_grid
entity: user
views: [z_now, daily]
every: event
features: {share: {ratio: [z_now.spend, daily.clicks]}}
---
feature_view: on_facts
entity: user
views: [known]
every: event
features: {there: {expression: known.city is not null}}
---
feature_view: on_that
entity: user
views: [on_facts]
every: event
features: {there: {expression: on_facts.there}}
"""


@pytest.fixture
def specs(tmp_path: Path) -> Specs:
    """A project, materialized and served."""
    (tmp_path / "data" / "clicks").mkdir(parents=True)
    row = click(0, at=-30)
    (tmp_path / "data" / "clicks" / "before.jsonl").write_text(json.dumps(row | {"received": row["at"]}) + "\n")
    (tmp_path / "data" / "facts.csv").write_text("user_id,at,city\n1,2026-01-01,Rome\n")
    specs = load_texts({"specs.yaml": SPECS})
    _run(specs, tmp_path, *specs.views)
    return specs


def _run(specs: Specs, root: Path, *views: str) -> None:
    for view in views:
        materialize(plan_view(specs, view, root, root / "data"), BEGIN, BEGIN + SECOND, context())


def _streamed(specs: Specs, root: Path, *views: str) -> Streamed:
    return streamed(specs, root, root / "data", views)


def test_views_over_views_come_after_their_members(specs: Specs, tmp_path: Path) -> None:
    """Also where one alone is named."""
    for names in ((), ("a_top",), ("a_top", "z_now")):
        found = _streamed(specs, tmp_path, *names)
        assert list(found.plans) == ["z_now", "b_over", "a_top"]
        assert (list(found.sources), found.waiting) == (["clicks"], {})
    assert list(_streamed(specs, tmp_path, "b_over").plans) == ["z_now", "b_over"]


@pytest.mark.parametrize(
    ("view", "why"),
    [
        ("daily", "it has values at the instants of a grid only: write `every: event`"),
        ("known", "no source of it says `stream`: facts"),
        ("on_grid", "it is made of daily, which cannot: it has values at the instants of a grid only: write "
                    "`every: event`"),
        ("on_that", "it is made of on_facts, which cannot: it is made of known, which cannot: no source of it says "
                    "`stream`: facts"),
    ],
)  # fmt: skip
def test_what_cannot_follow_says_why(specs: Specs, tmp_path: Path, view: str, why: str) -> None:
    with pytest.raises(LimnerError) as caught:
        _streamed(specs, tmp_path, "a_top", view)
    assert str(caught.value) == f"view {view!r} cannot follow events: {why}"


def test_a_view_whose_members_have_moved_waits_for_its_own_run(specs: Specs, tmp_path: Path) -> None:
    """And so do those that are made of it; the members follow."""
    served = {view: pointer.fingerprint for view, pointer in pointers(tmp_path / "data" / "history").items()}
    changed = load_texts({"specs.yaml": SPECS.replace("over: 1m", "over: 2m")})
    _run(changed, tmp_path, "z_now")
    for names in ((), ("a_top",)):
        found = _streamed(changed, tmp_path, *names)
        assert list(found.plans) == ["z_now"]
        assert found.waiting == {name: served[name] for name in ("a_top", "b_over")}
    _run(changed, tmp_path, "b_over")
    found = _streamed(changed, tmp_path)
    assert list(found.plans) == ["z_now", "b_over"]
    assert found.waiting == {"a_top": served["a_top"]}
    _run(changed, tmp_path, "a_top")
    assert list(_streamed(changed, tmp_path).plans) == ["z_now", "b_over", "a_top"]


def test_a_member_that_is_not_served_is_told(specs: Specs, tmp_path: Path) -> None:
    forget(tmp_path / "data" / "history", ["z_now"])
    with pytest.raises(LimnerError, match=r"'b_over' cannot follow events: it is made of z_now, which is not served$"):
        _streamed(specs, tmp_path, "b_over")
    switch(tmp_path / "data" / "history", {"z_now": "0" * 64})
    with pytest.raises(LimnerError, match="earlier version of Limner: materialize it again"):
        _streamed(specs, tmp_path, "b_over")
