"""Cleaning: each rule, the order of rules, and what is counted and set aside."""

from pathlib import Path
from typing import Any

import pytest

from limner.language.errors import LimnerError
from tests.workers.sources import world


def run(root: Path, columns: dict[str, Any], clean: dict[str, Any], wanted: list[str], **keys: Any) -> Any:
    count = len(next(iter(columns.values())))
    columns = {"user": list(range(count)), "ts": world.micros(*range(count)), **columns}
    world.write(root, "events", columns)
    source = world.source(event_timestamp="ts", clean=clean, **keys)
    return world.prepared(root, world.specs(source), wanted)


@pytest.mark.parametrize(
    ("rule", "values", "kept", "dropped", "quarantined"),
    [
        ({"missing": {"x": "drop"}}, [1, None], [1], {"x is missing": 1}, {}),
        ({"missing": {"x": "quarantine"}}, [1, None], [1], {}, {"x is missing": 1}),
        ({"missing": {"x": {"fill": 7}}}, [1, None], [1, 7], {}, {}),
        ({"missing": {"x": {"fill": "it's"}}}, ["a", None], ["a", "it's"], {}, {}),
        ({"missing": {"x": {"fill": True}}}, [False, None], [False, True], {}, {}),
        ({"range": {"x": {"min": 0, "max": 5}}}, [0, 5, -1, 6, None], [0, 5, None], {}, {"x is outside [0, 5]": 2}),
        ({"range": {"x": {"max": 5, "otherwise": "drop"}}}, [5, 6], [5], {"x is outside [-inf, 5]": 1}, {}),
        ({"range": {"x": {"min": 0, "max": 5, "otherwise": "clip"}}}, [-1, 9, 3, None], [0, 5, 3, None], {}, {}),
        ({"range": {"x": {"min": 0.5, "otherwise": "clip"}}}, [0.25, 1.0, None], [0.5, 1.0, None], {}, {}),
        ({"quarantine": ["x <= 0"]}, [1, 0, None], [1, None], {}, {"x <= 0": 1}),
        ({"drop": ["x = 'it''s' or x is null"]}, ["it's", "a", None], ["a"], {"x = 'it''s' or x is null": 2}, {}),
        ({"drop": ["event_timestamp >= '1970-01-01T00:00:00.000001Z'"]}, [1, 2], [1],
         {"event_timestamp >= '1970-01-01T00:00:00.000001Z'": 1}, {}),
    ],
)  # fmt: skip
def test_each_rule_keeps_fills_clips_drops_or_quarantines(
    tmp_path: Path, rule: Any, values: Any, kept: Any, dropped: Any, quarantined: Any
) -> None:
    result, rows = run(tmp_path, {"x": values}, rule, ["x"])
    assert [row["x"] for row in rows] == kept
    assert (result.dropped, result.quarantined) == (dropped, quarantined)
    assert (result.rows_read, result.rows_kept) == (len(values), len(kept))


def test_rules_apply_in_order_and_the_first_fate_of_a_row_is_its_fate(tmp_path: Path) -> None:
    clean = {
        "cast": {"x": "int"},
        "missing": {"x": {"fill": 50}},
        "range": {"x": {"max": 40, "otherwise": "clip"}},
        "quarantine": ["x = 40"],
        "drop": ["x > 1"],
    }
    result, rows = run(tmp_path, {"x": ["1", "40", "99", None, "bad", "2"]}, clean, ["x"])
    assert [row["x"] for row in rows] == [1]
    assert result.quarantined == {"cannot read x as int": 1, "x = 40": 3}
    assert result.dropped == {"x > 1": 1}


def test_a_row_without_key_or_time_is_quarantined_with_all_its_raw_columns(tmp_path: Path) -> None:
    world.write(
        tmp_path,
        "events",
        {
            "user": [1, None, 3, 4],
            "ts": ["1970-01-01", "1970-01-02", None, "noon"],
            "reason": ["a", "b", "c", "d"],
            "l": [[1]] * 4,
        },
    )
    result, rows = world.prepared(tmp_path, world.specs(world.source(event_timestamp="ts")))
    assert [row["user"] for row in rows] == [1]
    assert result.quarantined == {"no user": 1, "no ts": 1, "cannot read ts as timestamp": 1}
    aside = {row["raw.reason"]: row for row in world.quarantined(result)}
    assert aside["d"] == {
        "source": "events", "reason": "cannot read ts as timestamp",
        "user": "4", "ts": "noon", "raw.reason": "d", "l": "[1]",
    }  # fmt: skip
    assert (aside["b"]["reason"], aside["c"]["reason"]) == ("no user", "no ts")
    assert [path.name for path in (tmp_path / "data/quarantine/events").iterdir()] == [result.quarantine_file.name]


def test_only_rows_that_became_known_since_are_counted_and_set_aside(tmp_path: Path) -> None:
    times = world.micros(10, 20, 30, 40)
    world.write(tmp_path, "events", {"user": [1, 1, 1, 1], "ts": times, "x": [-1, -1, -1, 5]})
    source = world.source(event_timestamp="ts", clean={"quarantine": ["x < 0"]})
    result, rows = world.prepared(tmp_path, world.specs(source), ["x"], lower=5, known_after=21, until=31)
    assert (result.rows_read, rows, result.quarantined) == (3, [], {"x < 0": 1})
    assert [row["ts"] for row in world.quarantined(result)] == ["1970-01-01 00:00:00.00003+00"]


def test_two_views_of_one_run_do_not_overwrite_each_others_quarantine(tmp_path: Path) -> None:
    world.write(tmp_path, "events", {"user": [None, 1], "ts": world.micros(1, 2), "x": [1.0, float("inf")]})
    specs = world.specs(world.source(event_timestamp="ts"))
    first, _ = world.prepared(tmp_path, specs)
    second, _ = world.prepared(tmp_path, specs, ["x"])
    again, _ = world.prepared(tmp_path, specs, ["x"])
    assert first.quarantine_file != second.quarantine_file == again.quarantine_file
    written, _ = world.prepared(tmp_path, specs, texts=world.texts("{x}"))
    assert written.quarantine_file == second.quarantine_file, "what is read decides what is bad, whatever it is for"
    assert (len(world.quarantined(first)), len(world.quarantined(second))) == (1, 2)


def test_created_and_lag_decide_from_when_on_a_row_is_known(tmp_path: Path) -> None:
    created = world.micros(5, 500, 0).to_pylist()
    world.write(
        tmp_path,
        "events",
        {"user": [1, 2, 3, 4], "ts": world.micros(10, 20, 30, 40), "made": [*created[:2], None, created[2]]},
    )
    plain = world.source(event_timestamp="ts", created_timestamp="made")
    _, rows = world.prepared(tmp_path, world.specs(plain))
    assert [(row["__ts"], row["__known"]) for row in rows] == [(10, 11), (20, 500), (30, 31), (40, 41)]
    lagging = world.source(event_timestamp="ts", created_timestamp="made", lag="1s")
    _, rows = world.prepared(tmp_path, world.specs(lagging))
    assert [row["__known"] for row in rows] == [1_000_010, 1_000_020, 1_000_030, 1_000_040]


def test_attributes_without_a_time_happen_at_since(tmp_path: Path) -> None:
    world.write(tmp_path, "events", {"user": [1], "age": [33]})
    source = world.source(since="1970-01-01T00:00:07Z")
    _, rows = world.prepared(tmp_path, world.specs(source), ["age", "event_timestamp"])
    assert (rows[0]["__ts"], rows[0]["__known"], rows[0]["age"]) == (7_000_000, 7_000_001, 33)
    assert rows[0]["event_timestamp"].isoformat() == "1970-01-01T00:00:07+00:00"
    with pytest.raises(LimnerError, match="says neither event_timestamp nor since"):
        world.prepared(tmp_path, world.specs(world.source()))


def test_the_aliases_name_the_declared_times_even_where_a_column_has_the_name(tmp_path: Path) -> None:
    world.write(
        tmp_path,
        "events",
        {"user": [1], "t": ["1970-01-01 01:00:00"], "event_timestamp": ["x"], "created_timestamp": ["note"]},
    )
    source = world.source(event_timestamp="t", timezone="Europe/Paris")
    _, rows = world.prepared(tmp_path, world.specs(source), ["event_timestamp", "t", "created_timestamp"])
    assert rows[0]["t"] == rows[0]["event_timestamp"]
    assert (rows[0]["__ts"], rows[0]["created_timestamp"]) == (0, "note")


@pytest.mark.parametrize("name", ["a b", 'quo"te', "it's", "select", "Ünïcode", "semi;colon--", "{x}"])
def test_columns_may_have_any_name(tmp_path: Path, name: str) -> None:
    world.write(tmp_path, "events", {"user": [1, 2], "ts": world.micros(1, 2), name: ["5", None]})
    source = world.source(
        event_timestamp="ts", tie_break=[name], clean={"cast": {name: "int"}, "missing": {name: "quarantine"}}
    )
    result, rows = world.prepared(tmp_path, world.specs(source), [name])
    assert [row[name] for row in rows] == [5]
    assert world.quarantined(result)[0]["reason"] == f"{name} is missing"
