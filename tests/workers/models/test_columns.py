"""Words and vectors as inputs: columns, held to plain Python; and a model that learns from them."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.workers.models.columns import Level, Number, Place, by_input, columns_of, wide
from limner.workers.models.contents import read_learned
from tests.oracle.profiles import many
from tests.workers.models.world import FIRST, SPECS, fitted, orders, specs, write

DAY = 86_400_000_000
TYPES = {"n": pa.float64(), "yes": pa.bool_(), "word": pa.string(), "v": pa.list_(pa.float32())}
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "n": st.none() | st.integers(-5, 5).map(float),
            "yes": st.none() | st.booleans(),
            "word": st.none() | st.sampled_from("ab"),
            "v": st.none() | st.lists(st.sampled_from([0.0, 1.5, -2.0]), min_size=2, max_size=2),
        }
    ),
    max_size=60,
)


def _table(rows: list[dict[str, Any]]) -> dict[str, pa.Array]:
    return {name: pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()}


@many(60)
@given(ROWS)
def test_columns_are_what_plain_python_makes_of_the_rows(rows: list[dict[str, Any]]) -> None:
    """A word that ten rows have at least is a column; each row is made of itself alone."""
    columns = columns_of(tuple(TYPES), _table(rows))
    words = [row["word"] for row in rows]
    expected: list[Any] = [Number(input="n"), Number(input="yes")]
    expected += [Level(input="word", value=value) for value in "ab" if words.count(value) >= 10]
    expected += [Place(input="v", place=place) for place in range(2) if any(row["v"] for row in rows)]
    assert columns == tuple(expected)
    found = wide(columns, _table(rows))
    for row, got in zip(rows, found.tolist(), strict=True):
        number = [math.nan if row[name] is None else float(row[name]) for name in ("n", "yes")]
        level = [float(row["word"] == each.value) for each in columns if isinstance(each, Level)]
        place = [math.nan if row["v"] is None else row["v"][each.place] for each in columns if isinstance(each, Place)]
        np.testing.assert_array_equal(got, [*number, *level, *place])
        alone = {name: pa.array([row[name]]) for name in TYPES}  # null has no type here
        np.testing.assert_array_equal(wide(columns, alone)[0], got)


def test_of_many_words_the_most_frequent_have_columns() -> None:
    words = [f"w{n:02d}" for n in range(40) for _ in range(10 + (n >= 30))] + [None] * 5
    found = [each.name for each in columns_of(("w",), {"w": pa.array(words)})]
    assert found == [f"w = w{n:02d}" for n in [*range(10), *range(30, 40)]]


def test_what_columns_add_is_told_by_input() -> None:
    columns = (Place(input="v", place=0), Number(input="n"), Place(input="v", place=1))
    assert by_input(("n", "v"), columns, np.array([[1.0, 10.0, 2.0]])).tolist() == [[10.0, 3.0]]


MORE = """
feature_view: ways
entity: user
source: orders
every: 1d
features:
  usual: {mode: channel, over: 60d}
  sums: {sum: amount, over: 30d}
  counts: {count: "*", over: 30d}
  shape: {vector: [{scalars: [sums, counts], scale: log1p}]}
---
"""


@pytest.mark.parametrize("learner", ["logistic", "boosting"])
def test_a_model_learns_from_words_and_vectors(learner: str, tmp_path: Path) -> None:
    """Whoever orders seldom orders by telephone: the word tells it."""
    rows = orders()
    often = Counter(row.user for row in rows)
    write(tmp_path, rows, channels=lambda order: "telephone" if often[order.user] < 20 else "web")
    text = SPECS.replace("model: churn", MORE.strip().removesuffix("---") + "---\nmodel: churn", 1)
    text = text.replace("features: [{spend: [orders, recent]}, visits]", "features: [{ways: [usual, shape]}, visits]")
    text = text.replace("views: [spend, visits]", "views: [ways, visits]")
    found = specs(tmp_path, text, learner)
    version = fitted(tmp_path, found, FIRST + 121 * DAY, allow=True).version
    learned = read_learned(tmp_path / "data", "churn", version.id)
    assert [each.name for each in learned.reads] == [
        "visits.gifts", "ways.shape[0]", "ways.shape[1]", "ways.usual = telephone", "ways.usual = web",
    ]  # fmt: skip
    shape = pa.array([[3.0, 1.0]] * 3 + [None], pa.list_(pa.float32()))
    asked = {
        "ways.usual": pa.array(["telephone", "web", "letter", None]), "ways.shape": shape,
        "visits.gifts": pa.array([1, 1, 1, None], pa.int64()),
    }  # fmt: skip
    said = learned.says("probability", asked)
    assert said.null_count == 0
    assert said[0].as_py() > said[1].as_py() + 0.1
    assert fitted(tmp_path, found, FIRST + 121 * DAY, allow=True).version.id == version.id
