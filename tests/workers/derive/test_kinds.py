"""Derived kinds by hand: what each is worth on a few rows."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from limner.language.features import KINDS
from limner.language.types import OutputType
from limner.workers.derive.fit import Components, Fit, Scale
from limner.workers.derive.kinds import derive
from limner.workers.derive.rows import changes
from limner.workers.derive.scaling import Input, scaled


def feature(**keys: Any) -> Any:
    """A feature as a spec would write it."""
    return next(kind for kind in KINDS if kind.kind in keys).model_validate(keys)


@pytest.mark.parametrize(
    ("keys", "values", "expected"),
    [
        ({"bucket": "x", "bounds": [0, 10]}, [-0.5, 0.0, 9.9, 10.0, None], [0, 1, 1, 2, None]),
        ({"bucket": "x", "bounds": [2**53 + 1]}, [2**53, 2**53 + 1], [0, 1]),
        ({"bucket": "x", "bounds": [1], "labels": ["few", "many"]}, [0, 1, None], ["few", "many", None]),
        ({"log1p": "x"}, [0, 1, -1, None], [0.0, 0.6931471805599453, None, None]),
        ({"one_hot": "x", "categories": ["a", "b"]}, ["b", "c", None], [[0, 1], [0, 0], [0, 0]]),
        ({"one_hot": "x", "categories": ["a"], "other": True}, ["a", "c", None], [[1, 0], [0, 1], [0, 0]]),
        ({"one_hot": "x", "categories": [True]}, [True, False], [[1], [0]]),
        ({"hash": "x", "buckets": 1000}, ["web", None, "", "日本"], [225, None, 652, 331]),
        ({"hash": "x", "buckets": 1000}, [2.0, 2.5, -0.0], [446, 30, 40]),
        ({"hash": "x", "buckets": 1000}, [2, 0], [446, 40]),
        ({"hash": "x", "buckets": 2}, [True, False], [0, 0]),
    ],
)
def test_what_a_kind_is_worth(keys: dict[str, Any], values: list[Any], expected: list[Any]) -> None:
    """Null stays null, but has no place among categories."""
    assert derive(feature(**keys), {"x": pa.array(values)}).to_pylist() == expected


def test_a_ratio_has_no_value_where_there_is_nothing_to_divide_by() -> None:
    """Nor where it leaves what a float holds."""
    operands = {"a": pa.array([1, 1, None, 0, 1e308]), "b": pa.array([4, 0, 1, 2, 0.1])}
    assert derive(feature(ratio=["a", "b"]), operands).to_pylist() == [0.25, None, None, 0.0, None]


def fused(keys: dict[str, Any], columns: dict[str, pa.Array], fit: Fit | None = None) -> list[Any]:
    """The rows of a vector feature; vectors among the columns have two places."""
    made = feature(**keys)
    count = len(next(iter(columns.values())))
    inputs = {
        name: [Input(name, column, 2 if pa.types.is_list(column.type) else None)] for name, column in columns.items()
    }
    kind = OutputType("float", list=True, dim=made.project.pca if made.project else 3)
    values: list[Any] = scaled(
        made, kind, inputs, np.arange(count) > 0 if made.fit else np.ones(count, bool), fit
    ).to_pylist()
    return values


VECTORS = pa.array([[3.0, 4.0], None], pa.list_(pa.float32()))


def test_the_parts_of_a_vector_stand_end_to_end() -> None:
    """Each with its weight; null is 0."""
    parts = [{"scalars": ["n"], "weight": 2}, {"categories": "c", "values": ["a"]}, {"embedding": "v", "weight": 0.5}]
    columns = {"n": pa.array([1.5, None]), "c": pa.array(["a", "b"]), "v": VECTORS}
    assert fused({"vector": parts}, columns) == [[3.0, 1.0, 1.5, 2.0], [0.0, 0.0, 0.0, 0.0]]


def test_a_vector_may_get_length_1() -> None:
    """One of zeros stays."""
    parts = [{"embedding": "v"}]
    assert fused({"vector": parts, "normalize": True}, {"v": VECTORS}) == [
        [pytest.approx(0.6), pytest.approx(0.8)],
        [0.0, 0.0],
    ]


def test_a_vector_is_null_before_its_fit_and_without_it() -> None:
    """The first row is before it."""
    keys = {"vector": [{"scalars": ["n"], "scale": "zscore"}], "fit": "2026-01-01"}
    fit = Fit(output="f", instant=0, entities=2, scales={"zscore of n": Scale(center=1, width=2, count=2)})
    assert fused(keys, {"n": pa.array([3, 7, None])}, fit) == [None, [3.0], [0.0]]
    assert fused(keys, {"n": pa.array([3, 7, None])}) == [None, None, None]


def test_a_vector_is_projected_place_by_place() -> None:
    """(x - mean) times each component."""
    keys = {"vector": [{"embedding": "v"}], "fit": "2026-01-01", "project": {"pca": 1}}
    components = Components(mean=(1.0, 1.0), rows=((0.6, 0.8),), explained=(1.0,), entities=3)
    fit = Fit(output="f", instant=0, entities=3, components=components)
    assert fused(keys, {"v": VECTORS.take(pa.array([0, 0, 1]))}, fit) == [
        None,
        [pytest.approx(3.6)],
        [pytest.approx(-1.4)],
    ]


def test_what_float32_cannot_hold_is_its_largest_number() -> None:
    """Rather than infinite."""
    (row,) = fused({"vector": [{"scalars": ["n"]}]}, {"n": pa.array([-1e300])})
    assert row == [float(np.finfo(np.float32).min)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 1, None, None, 2], [True, False, True, False, True]),
        ([[1.0], [1.0], None, None, [2.0]], [True, False, True, False, True]),
        ([None, None], [True, False]),
        (["a", "b", "b"], [True, True, False]),
        ([], []),
    ],
)
def test_a_change_is_a_value_that_differs_from_the_one_before(values: list[Any], expected: list[bool]) -> None:
    """The first is one."""
    assert changes(pa.array(values)).tolist() == expected
