"""Expressions evaluated over Arrow: what DuckDB says of the same text, and plain Python; whatever the batch."""

import math
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.language.condition_types import UnknownColumnError
from limner.language.expressions import Condition, Expression
from limner.language.syntax import Node
from limner.workers.derive.evaluate import evaluate
from tests.language.trees import ROWS, TYPES, sums, texts, trees, worth, write

TABLE = pa.table({name: [row[name] for row in ROWS] for name in TYPES})
COLUMNS = dict(zip(TABLE.column_names, TABLE.columns, strict=True))


def one(text: str, **columns: Any) -> Any:
    """The value of an expression over a single row."""
    made = {name: value if isinstance(value, pa.Array) else pa.array([value]) for name, value in columns.items()}
    return evaluate(Expression(text), made, 1).to_pylist()[0]


@given(st.lists(st.one_of(trees, sums, texts), min_size=6, max_size=12))
@settings(max_examples=100, deadline=None)
def test_values_are_those_of_duckdb_and_of_plain_python(drawn: list[Node]) -> None:
    """Over every row, nulls and infinities included; and a row by itself has the value it has in a batch."""
    expressions = [Expression(write(tree)) for tree in drawn]
    with duckdb.connect(config={"threads": 1}) as db:
        db.register("rows", TABLE)
        picks = ", ".join(f"{each.sql_over(TYPES)} AS c{i}" for i, each in enumerate(expressions))
        expected = db.sql(f"SELECT {picks} FROM rows").to_arrow_table()
    for i, expression in enumerate(expressions):
        found = evaluate(expression, COLUMNS, len(ROWS))
        assert found.type == expected[f"c{i}"].type, expression
        alone = [evaluate(expression, row, 1)[0].as_py() for row in _single()]
        plain = [_stored(worth(drawn[i], row)) for row in ROWS]
        assert found.to_pylist() == list(map(_stored, expected[f"c{i}"].to_pylist())) == alone == plain, expression


def _single() -> list[dict[str, pa.ChunkedArray]]:
    return [{name: column.slice(at, 1) for name, column in COLUMNS.items()} for at in range(len(ROWS))]


def _stored(value: Any) -> Any:
    """As it leaves an expression: no number is infinite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a / b", 0.5), ("a / 0", None), ("9223372036854775807 + a", None), ("a + 0.5", 1.5), ("2 * a - b", 0),
        ("-7 % 3", -1), ("greatest(a, n, 1.5)", 1.5), ("least(a, n)", 1), ("if(a > 1, 'many', 'few')", "few"),
        ("if(n > 1, 'many', 'few')", "few"), ("coalesce(n, 0)", 0), ("n is null", True), ("round(2.5)", 3.0),
        ("round(-0.4)", 0.0), ("ceil(a / b)", 1.0), ("ln(0)", None), ("ln(-1) is null", True), ("sqrt(4)", 2.0),
        ("exp(1000)", None), ("exp(1000) > 5", True), ("log1p(1e-20)", 1e-20), ("log1p(-1)", None),
        ("t >= '2026-01-01' and t < '2026-01-02T02:00:00+02:00'", True), ("lower('Ä')", "ä"), ("length('日本')", 2),
        ("other.a + 1", 4),
    ],
)  # fmt: skip
def test_what_an_expression_is_worth(text: str, expected: Any) -> None:
    """Null where there is no number: division by zero, a logarithm of nothing, whole numbers of more than 64 bits."""
    when = pa.array([1767225600000000], pa.timestamp("us", "UTC"))
    found = one(text, a=1, b=2, n=pa.array([None], pa.int64()), t=when, **{"other.a": 3})
    assert found == expected
    assert type(found) is type(expected)
    assert math.copysign(1, found) == 1 or found < 0 if isinstance(found, float) else True


def test_columns_of_any_width_are_read() -> None:
    """Narrow numbers, coarse times, large strings; a chunked column is one column."""
    columns = {
        "i": pa.array([1, None], pa.int32()),
        "f": pa.chunked_array([[0.5], [None]], pa.float32()),
        "t": pa.array([0, None], pa.timestamp("s", "UTC")),
        "s": pa.array(["a", None], pa.large_string()),
    }
    assert evaluate(Expression("i + f"), columns).to_pylist() == [1.5, None]
    assert evaluate(Expression("if(s = 'a' and t = '1970-01-01', i, 7)"), columns).to_pylist() == [1, 7]
    assert evaluate(Condition("s = 'a'"), columns).to_pylist() == [True, None]


def test_what_cannot_be_evaluated_says_why() -> None:
    """A missing column, a type that does not fit, a list."""
    with pytest.raises(UnknownColumnError, match="'b'"):
        one("a + b", a=1)
    with pytest.raises(ValueError, match="s is a string, but \\+ takes numbers"):
        one("s + 1", s="x")
    with pytest.raises(ValueError, match="list"):
        one("a > 1", a=pa.array([[1]]))
