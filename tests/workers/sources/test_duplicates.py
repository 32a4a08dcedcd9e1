"""Dropping duplicates keeps the first known row, whichever part of the source is asked for."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workers.sources import world

small = st.integers(0, 3)
rows_of_a_source = st.lists(
    st.tuples(
        small,
        st.integers(10, 14),
        st.one_of(st.none(), st.integers(5, 20)),
        st.one_of(st.none(), small),
        st.floats(0, 1),
    ),
    max_size=12,
)
NAMES = ("user", "ts", "made", "k", "x")


def first_known(rows: list[tuple[Any, ...]], keys: list[str], *, made: bool) -> list[tuple[Any, ...]]:
    """The plain way: sort by known then canonical order, keep the first of each key."""

    def order(row: tuple[Any, ...]) -> tuple[Any, ...]:
        ts, created = row[1], row[2] if made else None
        known = max(ts + 1, created if created is not None else 0)
        raw = [(row[NAMES.index(name)] is not None, row[NAMES.index(name)] or 0) for name in sorted(NAMES)]
        return known, ts, (created is not None, created or 0), raw

    kept: dict[Any, tuple[Any, ...]] = {}
    for row in sorted(rows, key=order):
        kept.setdefault(tuple(row[NAMES.index("ts" if key == "event_timestamp" else key)] for key in keys), row)
    return list(kept.values())


@settings(deadline=None, max_examples=40)
@given(
    rows_of_a_source,
    st.sampled_from([["k"], ["user", "k"], ["user", "event_timestamp"], ["ts", "k"], ["k", "x"]]),
    st.booleans(),
    st.one_of(st.none(), st.integers(9, 15)),
    st.integers(9, 15),
    st.integers(10, 21),
)
def test_the_first_known_row_is_kept_whatever_the_bounds(
    rows: list[tuple[Any, ...]], keys: list[str], made: bool, lower: int | None, after: int, until: int
) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        columns: dict[str, Any] = (
            dict(zip(NAMES, map(list, zip(*rows, strict=True)), strict=True)) if rows else {n: [] for n in NAMES}
        )
        columns["ts"], columns["made"] = world.micros(*columns["ts"]), world.micros(*columns["made"])
        for name in ("user", "k"):
            columns[name] = world.pa.array(columns[name], world.pa.int64())
        columns["x"] = world.pa.array(columns["x"], world.pa.float64())
        world.write(root, "events", columns)
        declared = {"created_timestamp": "made"} if made else {}
        source = world.source(event_timestamp="ts", clean={"drop_duplicates": keys}, **declared)
        result, found = world.prepared(
            root, world.specs(source), ["k", "x"], lower=lower, known_after=after, until=until
        )

    def known(row: tuple[Any, ...]) -> int:
        return max(row[1] + 1, (row[2] or 0) if made else 0)

    wanted = [
        row
        for row in first_known(rows, keys, made=made)
        if known(row) <= until and (lower is None or row[1] >= lower or known(row) > after)
    ]
    assert sorted((r["user"], r["__ts"], r["__known"], r["k"] or -1, r["x"]) for r in found) == sorted(
        (row[0], row[1], known(row), row[3] or -1, row[4]) for row in wanted
    )
    assert result.rows_kept == len(wanted)


def test_minus_zero_and_null_are_one_key_each(tmp_path: Path) -> None:
    world.write(
        tmp_path,
        "events",
        {"user": [1] * 5, "ts": world.micros(1, 2, 3, 4, 5), "x": [0.0, -0.0, None, float("nan"), 1.0]},
    )
    source = world.source(event_timestamp="ts", clean={"drop_duplicates": ["x"]})
    result, rows = world.prepared(tmp_path, world.specs(source), ["x"])
    assert [row["__ts"] for row in rows] == [1, 3, 5]
    assert result.dropped == {"duplicate": 2}
