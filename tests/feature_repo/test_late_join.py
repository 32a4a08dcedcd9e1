"""Features are read after the join, of the rows that it found: the answer is as if they had been there all along."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from limner.feature_repo.point_in_time import STAMP, Joiner, Wanted
from tests.feature_repo.handmade import DAY, history_rows, write_history

KINDS = {"spend": pa.float64(), "orders": pa.int64(), "city": pa.string(), "taste": pa.list_(pa.float32())}


def wanted(root: Path, features: Sequence[str], ttl: timedelta) -> Wanted:
    picked = tuple((name, name, KINDS.get(name, pa.int64())) for name in features)
    return Wanted("shopping", root / "data/history/shopping", None, (("user_id", "user_id"),), picked, ttl=ttl)


def entity_rows(users: Sequence[int | None], instants: Sequence[int | None]) -> pa.Table:
    return pa.table({STAMP: pa.array(instants, pa.int64()), "user_id": pa.array(users, pa.int64())})


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ttl", [0, 1, DAY // 10, 3 * DAY])
def test_every_feature_is_of_the_row_that_held(tmp_path: Path, seed: int, ttl: int) -> None:
    """Scalars, texts and vectors of two parts; repeated, null and unknown entity rows; any age limit."""
    rng = np.random.default_rng(seed)
    keys = {(int(rng.integers(0, 20)), int(rng.integers(1, 200)) * DAY // 10) for _ in range(400)}
    table = history_rows([(user, at, float(rng.normal())) for user, at in sorted(keys)])
    empty = pa.array([None if rng.random() < 0.2 else vector for vector in table["taste"].to_pylist()], KINDS["taste"])
    table = table.set_column(table.column_names.index("taste"), "taste", empty)
    at = np.asarray(table["event_timestamp"].cast(pa.int64()))
    middle, end = 9 * DAY, 20 * DAY
    parts = [
        (DAY, middle, table.filter(pa.array((at > DAY) & (at <= middle)))),
        (middle, end, table.filter(at > middle)),
    ]
    write_history(tmp_path, "shopping", parts, table.filter(pa.array(at <= DAY)))
    users = [None if user == 23 else user for user in rng.integers(0, 24, 300).tolist()]
    instants = (rng.integers(0, 220, 300) * (DAY // 10) + rng.integers(-1, 2, 300)).tolist()
    instants[7] = None

    found = Joiner().join(entity_rows(users, instants), wanted(tmp_path, list(KINDS), timedelta(microseconds=ttl)))

    rows = table.to_pylist()
    for row in rows:
        row["at"] = int(row["event_timestamp"].timestamp() * 1_000_000)
    expected = []
    for user, instant in zip(users, instants, strict=True):
        known = [row for row in rows if row["user_id"] == user and instant is not None and row["at"] <= instant]
        newest = max(known, key=lambda row: row["at"], default=None)
        expected.append(None if newest is None or (ttl and instant - newest["at"] > ttl) else newest)
    for name, column in zip(KINDS, found, strict=True):
        assert column.type == KINDS[name]
        assert column.to_pylist() == [None if row is None else row[name] for row in expected]


@pytest.mark.parametrize("name", ["file_index", "File_Row_Number"])
def test_a_feature_may_have_the_name_of_a_hidden_column(tmp_path: Path, name: str) -> None:
    """DuckDB counts files and rows in columns of these names, which a feature of the history hides."""
    table = history_rows([(1, 5, 0.5), (1, 9, 0.9), (2, 7, 0.7)])
    write_history(tmp_path, "shopping", [(0, DAY, table.append_column(name, pa.array([1, 1, 1])))])
    asked = entity_rows([2, 1, 1], [DAY, 8, 9])
    assert Joiner().join(asked, wanted(tmp_path, ["spend"], timedelta()))[0].to_pylist() == [0.7, 0.5, 0.9]
    assert Joiner().join(asked, wanted(tmp_path, [name], timedelta()))[0].to_pylist() == [1, 1, 1]
