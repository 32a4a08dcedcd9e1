"""A view made of other views: as of each instant, from what their histories say."""

from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from limner.language.columns import check
from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.language.repo import Specs, load_texts
from limner.workers.context import RunContext
from limner.workers.ledger import Ledger
from limner.workers.plan import plan_view
from limner.workers.report import silent
from limner.workers.run import RunResult, materialize
from limner.workers.sources.describe import describe
from limner.workers.tasks import InProcess

SPECS = """
entity: shopper
join_keys: {shopper_id: int}
---
source: purchases
path: purchases.parquet
event_timestamp: at
---
source: clicks
path: clicks.parquet
event_timestamp: at
---
feature_view: spending
entity: shopper
source: purchases
every: 1d
features:
  spend: {sum: amount, over: [2d, lifetime]}
  kinds: {top: 2, of: kind}
---
feature_view: browsing
entity: shopper
source: clicks
every: event
features: {clicks: {count: "*", over: 3d}}
---
feature_view: engagement
entity: shopper
views: [spending, browsing]
every: 1d
features:
  per_click: {expression: "spending.spend_2d / browsing.clicks"}
  level: {bucket: spending.spend_lifetime, bounds: [5, 50]}
---
feature_view: summary
entity: shopper
views: [engagement]
every: 7d
features: {high: {expression: "engagement.level >= 1"}}
"""
START, END = parse_instant("2026-01-05"), parse_instant("2026-01-20")


def _write(folder: Path, name: str, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows)
    at = pa.array([parse_instant(row["at"]) for row in rows]).cast(pa.timestamp("us", "UTC"))
    pq.write_table(table.set_column(table.schema.get_field_index("at"), "at", at), folder / f"{name}.parquet")


@pytest.fixture
def specs(tmp_path: Path) -> Specs:
    _write(tmp_path, "purchases", [
        {"shopper_id": 1, "at": "2026-01-03T10:00:00Z", "amount": 4.0, "kind": "tea"},
        {"shopper_id": 1, "at": "2026-01-08T10:00:00Z", "amount": 60.0, "kind": "tea"},
        {"shopper_id": 2, "at": "2026-01-09T10:00:00Z", "amount": 8.0, "kind": "jam"},
    ])  # fmt: skip
    _write(tmp_path, "clicks", [
        {"shopper_id": 1, "at": "2026-01-08T09:00:00Z"},
        {"shopper_id": 1, "at": "2026-01-08T09:30:00Z"},
        {"shopper_id": 3, "at": "2026-01-12T00:00:00Z"},
    ])  # fmt: skip
    found = load_texts({"specs.yaml": SPECS})
    check(found, {name: describe(source, tmp_path) for name, source in found.sources.items()})
    return found


def _run(specs: Specs, root: Path, view: str, start: int = START, end: int = END) -> RunResult:
    class Memory:
        def task_done(self, *_: Any) -> bool:
            return False

        def record_task(self, *_: Any) -> None: ...
        def quarantine(self, *_: Any) -> None: ...

    context = RunContext(InProcess(), cast("Any", None), silent, cast("Ledger", Memory()), "run", shards=2)
    return materialize(plan_view(specs, view, root, root / "data"), start, end, context)


def _rows(result: RunResult) -> list[tuple[Any, ...]]:
    tables = [pq.read_table(part.path) for part in result.history.parts()]
    rows = [row for table in tables for row in table.to_pylist()]
    names = [name for name in rows[0] if name not in ("shopper_id", "event_timestamp")]
    day = "%m-%d"
    return sorted(
        (row["shopper_id"], row["event_timestamp"].strftime(day), *(row[name] for name in names)) for row in rows
    )


def test_values_are_derived_of_what_each_member_says_at_the_instant(specs: Specs, tmp_path: Path) -> None:
    """An entity has rows once any member knows it; a feature of a member that does not is null."""
    for view in ("spending", "browsing"):
        _run(specs, tmp_path, view)
    result = _run(specs, tmp_path, "engagement")
    assert [output.name for output in result.plan.outputs] == ["level", "per_click"]
    assert _rows(result) == [
        (1, "01-05", 0, None),
        (1, "01-09", 2, 30.0),
        (1, "01-11", 2, 0.0),
        (1, "01-12", 2, None),
        (2, "01-10", 1, None),
        (3, "01-13", None, None),
    ]
    assert _rows(_run(specs, tmp_path, "summary")) == [(1, "01-05", False), (1, "01-12", True), (2, "01-12", True),
                                                       (3, "01-19", None)]  # fmt: skip


def test_runs_over_parts_make_the_history_of_one_run(specs: Specs, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for root in (whole, parts):
        root.mkdir()
        for name in ("purchases", "clicks"):
            (root / f"{name}.parquet").write_bytes((tmp_path / f"{name}.parquet").read_bytes())
    middle = parse_instant("2026-01-09T12:00:00Z")
    for view in ("spending", "browsing", "engagement"):
        once = _run(specs, whole, view)
    for start, end in ((START, middle), (middle, END)):
        for view in ("spending", "browsing", "engagement"):
            twice = _run(specs, parts, view, start, end)
    assert _rows(once) == _rows(twice)
    again = _run(specs, parts, "engagement", middle, END)
    assert again.reasons == ("up to date",)


def test_a_member_that_lacks_the_interval_is_named_with_the_command_that_helps(specs: Specs, tmp_path: Path) -> None:
    _run(specs, tmp_path, "spending", START, parse_instant("2026-01-10"))
    with pytest.raises(LimnerError) as caught:
        _run(specs, tmp_path, "engagement")
    assert str(caught.value) == (
        "engagement is made of other views, and needs their values from 2026-01-05T00:00:00Z to 2026-01-20T00:00:00Z, "
        "but spending is materialized from 2026-01-05T00:00:00Z to 2026-01-10T00:00:00Z; browsing is not materialized "
        "as it is declared now: run `feast materialize 2026-01-05T00:00:00Z 2026-01-20T00:00:00Z --views spending "
        "--views browsing`, then this again"
    )


def test_a_change_of_a_member_is_a_change_of_the_view(specs: Specs, tmp_path: Path) -> None:
    changed = load_texts({"specs.yaml": SPECS.replace('count: "*", over: 3d', 'count: "*", over: 4d')})
    for view, same in (("spending", True), ("browsing", False), ("engagement", False), ("summary", False)):
        before, after = (plan_view(each, view, tmp_path, tmp_path).fingerprint for each in (specs, changed))
        assert (before == after) is same
