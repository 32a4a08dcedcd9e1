"""Conditions: what is accepted, what is refused, and that accepted ones mean in DuckDB what they say."""

import math
import operator
import pickle
import re
from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from limner.language.expressions import Condition
from limner.language.models import LogicalType
from limner.language.syntax import Call, Column, Literal, Node

TYPES: dict[str, LogicalType] = {"a": "int", "b": "int", "x": "float", "s": "string", "t": "string", "f": "bool"}
ROWS: list[dict[str, Any]] = [
    {"a": 1, "b": 0, "x": 0.5, "s": "web", "t": "Web", "f": True},
    {"a": -7, "b": 3, "x": -2.25, "s": "it's", "t": "a_b%", "f": False},
    {"a": 2**62, "b": 2**62, "x": 1e70, "s": "", "t": "日本", "f": None},
    {"a": None, "b": 5, "x": None, "s": None, "t": "x", "f": True},
    {"a": 0, "b": None, "x": 0.0, "s": "x", "t": None, "f": False},
]
ALLOWED = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null,
    exp.EQ, exp.NEQ,
    exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Is, exp.Like, exp.ILike, exp.Add, exp.Sub,
    exp.Mul, exp.Div,
    exp.Mod, exp.Neg, exp.Lower, exp.Upper, exp.Length, exp.Abs, exp.Coalesce, exp.Cast, exp.TryCast,
    exp.DataType,
    exp.Nullif, exp.Try,
)  # fmt: skip

REFUSED = [
    "read_csv('/etc/passwd') = 1", "a in (select 1)", "(select 1) = a", "exists (select 1)",
    "a = 1; drop table x",
    "a = 1 union select 1", "a = 1 -- ends", "a = 1 /* c */", "a::int = 1", "cast(a as int) = 1",
    "try_cast(a as int) = 1",
    "a = $1", "a = ?", "a = :name", "a = #1", "t.a = 1", "main.t.a = 1", "*", "count(*) > 1",
    "sum(a) over () > 1",
    "a[1] = 1", "[1, 2] = a", "{'a': 1} = a", "s || t = 'x'", "s ~ 'x'", "s similar to 'x'", "a is true",
    "a = null",
    "case when f then a end = 1", "now() > s", "getenv('HOME') = s", "'x'.upper() = s", "a => 1",
    "x -> y", "lambda x: x", "a := 1", "a <=> 1", "a ** 2 = 4", "a // 2 = 1", "a ^ 2 = 4", "a & 1 = 1",
    "a | 1 = 1",
    "a << 1 = 2", "not", "and a", "a and", "()", "(a", "a)", "a b", "a in ()", "a in (b)", "a in (null)",
    "a like b",
    "a between 1", "1 = 1 = 1", "e'\\n' = s", "x'ff' = s", "$$x$$ = s", "'a' 'b' = s", "a = 1e999",
    "a = 99999999999999999999",
    "a = 1_000", "a = 0x10", "\"a\".\"b\" = 1", "interval '1' day > a", "date '2020-01-01' > s",
    "lower(s, t) = 'x'",
    "coalesce(s) = 'x'", "abs() = 1", "length s = 1", "s = 'open", "\"open = 1", "a = 1\x00", "s = '\x00'", "",
    "   ",
    "(" * 60 + "a" + ")" * 60, " or ".join(["f"] * 500), "f" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: text[:30])
def test_anything_but_column_operators_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Condition(text)


def test_the_columns_a_condition_reads_are_known() -> None:
    assert Condition("\"odd name\" > 0 and (b is null or lower(s) in ('and', 'or'))").columns == ("b", "odd name", "s")


def test_columns_are_case_sensitive_and_always_quoted() -> None:
    assert Condition('Quantity > 0 and "say ""hi""" < 1').sql == (
        '(("Quantity" > CAST(0 AS BIGINT)) AND ("say ""hi""" < CAST(1 AS BIGINT)))'
    )


def test_spelling_does_not_count_but_meaning_does() -> None:
    assert Condition("a>0 AND s  IN ('x')") == Condition("(a > 0) and s in ('x')")
    assert Condition("a > 0") != Condition("a >= 0")
    assert hash(Condition("a>0")) == hash(Condition("a > 0"))


def test_a_condition_survives_pickling() -> None:
    condition = Condition("a > 0 or not f")
    assert pickle.loads(pickle.dumps(condition)) == condition


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("t >= '2026-01-31'", "2026-01-31 00:00:00+00:00"),
        ("t >= '2026-01-31T02:00:00+02:00'", "2026-01-31 00:00:00+00:00"),
        ("t in ('2026-01-31T00:00:00.000001Z')", "2026-01-31 00:00:00.000001+00:00"),
        ("t between '20260131' and '2026-02-01'", "2026-01-31 00:00:00+00:00"),
    ],
)
def test_a_text_beside_a_timestamp_is_an_instant(text: str, utc: str) -> None:
    assert f"'{utc}'" in Condition(text).sql_over({"t": "timestamp"})


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_instants_mean_the_same_in_every_session_time_zone(zone: str) -> None:
    sql = Condition("t = '2026-01-31T02:00:00+02:00'").sql_over({"t": "timestamp"})
    with duckdb.connect() as db:
        db.execute(f"SET TimeZone = '{zone}'")
        row = db.sql(f"SELECT {sql} FROM (SELECT make_timestamptz(1769817600000000) AS t)").fetchall()
    assert row == [(True,)]


@pytest.mark.parametrize(
    "text",
    ["a > 'x'", "s = 1", "f > 1", "f and a", "a", "not s", "a like 'x'", "lower(a) = 'x'", "abs(s) = 1",
    "-s = 1",
     "coalesce(a, s) = 1", "a between 'x' and 'y'", "s + 1 = 2", "a in (1, 'x')", "missing > 1"],
)  # fmt: skip
def test_types_that_clash_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"a |b |s |f |missing"):
        Condition(text).sql_over(TYPES)


# --- random trees -------------------------------------------------------------------------------------------------

_numbers: st.SearchStrategy[Node] = st.one_of(
    st.sampled_from([Column("a"), Column("b"), Column("x")]),
    st.integers(-5, 5).map(Literal),
    st.sampled_from([0.5, -2.25, 1e70, 2**62]).map(Literal),
)
_strings: st.SearchStrategy[Node] = st.one_of(
    st.sampled_from([Column("s"), Column("t")]), st.sampled_from(["web", "it's", "", "日本"]).map(Literal)
)


def _calls(ops: list[str], *args: st.SearchStrategy[Any]) -> st.SearchStrategy[Node]:
    return st.builds(lambda op, rest: Call(op, tuple(rest)), st.sampled_from(ops), st.tuples(*args))


_sums = st.recursive(
    _numbers,
    lambda inner: st.one_of(_calls(["+", "-", "*", "/", "%"], inner, inner), _calls(["negate", "abs"], inner)),
    max_leaves=4,
)
_texts = st.one_of(_strings, _calls(["lower", "upper"], _strings), _calls(["coalesce"], _strings, _strings))
_patterns = st.sampled_from(["%", "w%", "_eb", "a\\_", ""]).map(Literal)
_compare = ["=", "<>", "<", "<=", ">", ">="]
_tests = st.one_of(
    _calls(_compare, _sums, _sums),
    _calls(_compare, _texts, _texts),
    _calls(["between"], _sums, _sums, _sums),
    _calls(["is null"], st.one_of(_sums, _texts)),
    _calls(["like", "ilike"], _texts, _patterns),
    _calls(["in"], _sums, st.integers(-3, 3).map(Literal), st.just(Literal(0.5))),
    st.just(Column("f")),
)
_trees = st.recursive(
    _tests,
    lambda inner: st.one_of(_calls(["and", "or"], inner, inner), _calls(["not"], inner)),
    max_leaves=5,
)
_RANK = {"or": 1, "and": 2, "not": 3, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6, "negate": 7}


def _rank(node: Node) -> int:
    return (
        _RANK.get(node.op, 4 if node.op not in ("lower", "upper", "abs", "coalesce") else 9)
        if isinstance(node, Call)
        else 9
    )


def _write(node: Node, least: int = 0) -> str:
    """The text of a tree with as few parentheses as precedence allows."""
    text = _bare(node)
    return f"({text})" if _rank(node) < least else text


def _bare(node: Node) -> str:  # noqa: PLR0911 - one a form
    match node:
        case Column(name):
            return name
        case Literal(value):
            return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)
        case Call("not", (one,)):
            return f"not {_write(one, 3)}"
        case Call("negate", (one,)):
            return f"- {_write(one, 8)}" if not isinstance(one, Literal) else f"- ({_write(one)})"
        case Call("is null", (one,)):
            return f"{_write(one, 5)} is null"
        case Call("in", (one, *items)):
            return f"{_write(one, 5)} in ({', '.join(map(_bare, items))})"
        case Call("between", (one, low, high)):
            return f"{_write(one, 5)} between {_write(low, 5)} and {_write(high, 5)}"
        case Call(op, args) if _rank(node) == 9:
            return f"{op}({', '.join(map(_bare, args))})"
        case Call(op, (left, right)):
            rank = _rank(node)
            first, second = (5, 5) if rank == 4 else (rank, rank + 1)
            return f"{_write(left, first)} {op} {_write(right, second)}"
    raise AssertionError(node)


@given(_trees)
@settings(max_examples=300, deadline=None)
def test_a_tree_written_with_the_fewest_parentheses_is_read_back(tree: Node) -> None:
    assert Condition(_write(tree)).sql == Condition(_write(_simplest(tree))).sql
    assert Condition(_write(tree)).tree == _simplest(tree)


def _simplest(node: Node) -> Node:
    if not isinstance(node, Call):
        return node
    args = tuple(map(_simplest, node.args))
    if node.op == "not" and isinstance(args[0], Call) and args[0].op == "not":
        return args[0].args[0]
    if node.op == "negate" and isinstance(args[0], Literal) and not isinstance(args[0].value, str):
        return Literal(-args[0].value)
    return Call(node.op, args)


@example([Call("=", (Column("a"), Call("negate", (Call("*", (Literal(-2), Literal(2**62))),))))])
@given(st.lists(_trees, min_size=6, max_size=12))
@settings(max_examples=60, deadline=None)
def test_duckdb_computes_what_the_condition_says(trees: list[Node]) -> None:
    conditions = [Condition(_write(tree)) for tree in trees]
    rows = pa.Table.from_pylist(ROWS)
    with duckdb.connect(config={"threads": 1}) as db:
        db.register("rows", rows)
        picks = ", ".join(f"{c.sql_over(TYPES)} AS c{i}" for i, c in enumerate(conditions))
        found = db.sql(f"SELECT {picks} FROM rows").to_arrow_table().to_pylist()
    for row, got in zip(ROWS, found, strict=True):
        for i, tree in enumerate(trees):
            assert got[f"c{i}"] == _value(tree, row), (_write(tree), row)


def _value(node: Node, row: dict[str, Any]) -> Any:  # noqa: PLR0911 - one a form
    """Three-valued evaluation in plain Python; int64 overflow and division by zero are null."""
    match node:
        case Column(name):
            return row[name]
        case Literal(value):
            return value
        case Call("and" | "or" as op, args):
            values = [_value(arg, row) for arg in args]
            decisive = op == "or"
            return decisive if decisive in values else None if None in values else not decisive
        case Call("is null", (one,)):
            return _value(one, row) is None
        case Call("between", (one, low, high)):
            return _between(_value(one, row), _value(low, row), _value(high, row))
        case Call("coalesce", args):
            return next((v for arg in args if (v := _value(arg, row)) is not None), None)
    values = [_value(arg, row) for arg in node.args]
    return None if None in values else _apply(node.op, *values)


def _between(value: Any, low: Any, high: Any) -> bool | None:
    """Two comparisons joined by `and`; all numbers are floats where one is."""
    if any(isinstance(each, float) for each in (value, low, high)):
        value, low, high = (None if each is None else float(each) for each in (value, low, high))
    sides = (None if None in (value, low) else value >= low, None if None in (value, high) else value <= high)
    return False if False in sides else None if None in sides else True


def _apply(op: str, *v: Any) -> Any:
    if op in ("/", "%") and v[1] == 0:
        return None
    if op == "%" and isinstance(v[0], int) and isinstance(v[1], int):
        return abs(v[0]) % abs(v[1]) * (1 if v[0] >= 0 else -1)
    if (op == "in" or op in _compare) and any(isinstance(value, float) for value in v):
        # Numbers of mixed types are compared as floats.
        v = tuple(float(value) for value in v)
    functions: dict[str, Callable[..., Any]] = {
        "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
        "+": operator.add, "-": operator.sub, "*": operator.mul, "negate": operator.neg, "abs": abs,
        "/": lambda a, b: float(a) / float(b), "%": math.fmod,
        "not": operator.not_, "in": lambda a, *items: a in items,
        "lower": str.lower, "upper": str.upper, "like": _like, "ilike": lambda a, p: _like(a.lower(), p.lower()),
    }  # fmt: skip
    try:
        result = functions[op](*v)
    except OverflowError:
        return None
    return (
        None if isinstance(result, int) and not isinstance(result, bool) and not -(2**63) <= result < 2**63 else result
    )


def _like(text: str, pattern: str) -> bool:
    return re.fullmatch("(?s)" + "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern), text) is not None


_words = st.sampled_from(
    ["a", "s", "f", "x", "1", "'x'", "0.5", "and", "or", "not", "in", "is", "null", "between", "like", "(",
    ")", ",", "=", "<",
     ">=", "+", "-", "*", "/", "%", "lower", "abs", "coalesce", "select", "from", ";", "--", "read_csv", "$1",
     "::", "int", ".",
     "case", "when", "cast", "as", "union", "[", "]", "{", "}", "\"q\"", "/*", "*/", "@", "exists", "over",
     "interval"]
)  # fmt: skip


@given(st.one_of(st.lists(_words, min_size=1, max_size=9).map(" ".join), st.text(max_size=20)))
@settings(max_examples=1000, deadline=None)
def test_no_accepted_text_holds_anything_but_allowed_operators(text: str) -> None:
    try:
        condition = Condition(text)
    except ValueError:
        return
    parsed = sqlglot.parse(condition.sql, dialect="duckdb")
    assert len(parsed) == 1
    assert parsed[0] is not None
    for part in parsed[0].walk():
        function = isinstance(part, exp.Anonymous) and part.name.lower() in ("try",)
        assert function or isinstance(part, ALLOWED), (text, part)
    assert {column.name for column in parsed[0].find_all(exp.Column)} == set(condition.columns)
