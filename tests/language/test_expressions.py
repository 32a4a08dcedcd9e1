"""Conditions: what is accepted, what is refused, and that accepted ones mean in DuckDB what they say."""

import pickle

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from limner.language.expressions import Condition
from limner.language.syntax import Call, Column, Literal, Node
from tests.language.trees import ROWS, TYPES, simplest, trees, worth, write

ALLOWED = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null,
    exp.EQ, exp.NEQ,
    exp.LT, exp.LTE, exp.GT, exp.GTE, exp.In, exp.Between, exp.Is, exp.Like, exp.ILike, exp.Add, exp.Sub,
    exp.Mul, exp.Div,
    exp.Mod, exp.Neg, exp.Lower, exp.Upper, exp.Length, exp.Abs, exp.Coalesce, exp.Cast, exp.TryCast,
    exp.DataType,
    exp.Nullif, exp.Try, exp.Case, exp.If, exp.Ln, exp.Exp,
    exp.Sqrt, exp.Round, exp.Floor, exp.Ceil, exp.Least, exp.Greatest,
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
    "   ", "ln(ln(ln(ln(x)))) > 0", "if(f, a) = 1", "view.a > 1",
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


@given(trees)
@settings(max_examples=300, deadline=None)
def test_a_tree_written_with_the_fewest_parentheses_is_read_back(tree: Node) -> None:
    assert Condition(write(tree)).sql == Condition(write(simplest(tree))).sql
    assert Condition(write(tree)).tree == simplest(tree)


@example([Call("=", (Column("a"), Call("negate", (Call("*", (Literal(-2), Literal(2**62))),))))])
@given(st.lists(trees, min_size=6, max_size=12))
@settings(max_examples=60, deadline=None)
def test_duckdb_computes_what_the_condition_says(drawn: list[Node]) -> None:
    conditions = [Condition(write(tree)) for tree in drawn]
    rows = pa.Table.from_pylist(ROWS)
    with duckdb.connect(config={"threads": 1}) as db:
        db.register("rows", rows)
        picks = ", ".join(f"{c.sql_over(TYPES)} AS c{i}" for i, c in enumerate(conditions))
        found = db.sql(f"SELECT {picks} FROM rows").to_arrow_table().to_pylist()
    for row, got in zip(ROWS, found, strict=True):
        for i, tree in enumerate(drawn):
            assert got[f"c{i}"] == worth(tree, row), (write(tree), row)


_words = st.sampled_from(
    ["a", "s", "f", "x", "1", "'x'", "0.5", "and", "or", "not", "in", "is", "null", "between", "like", "(",
    ")", ",", "=", "<",
     ">=", "+", "-", "*", "/", "%", "lower", "abs", "coalesce", "log1p", "if", "least",
     "round", "select", "from", ";", "--", "read_csv", "$1",
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
