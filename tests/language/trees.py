"""Random expressions: trees, their text, and what they are worth in plain Python."""

import math
import operator
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from limner.language.condition_types import typed
from limner.language.models import LogicalType
from limner.language.syntax import FUNCTIONS, Call, Column, Literal, Node

TYPES: dict[str, LogicalType] = {"a": "int", "b": "int", "x": "float", "s": "string", "t": "string", "f": "bool"}
ROWS: list[dict[str, Any]] = [
    {"a": 1, "b": 0, "x": 0.5, "s": "web", "t": "Web", "f": True},
    {"a": -7, "b": 3, "x": -2.25, "s": "it's", "t": "a_b%", "f": False},
    {"a": 2**62, "b": 2**62, "x": 1e70, "s": "", "t": "日本", "f": None},
    {"a": None, "b": 5, "x": None, "s": None, "t": "x", "f": True},
    {"a": 0, "b": None, "x": 0.0, "s": "x", "t": None, "f": False},
]
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


sums = st.recursive(
    _numbers,
    lambda inner: st.one_of(
        _calls(["+", "-", "*", "/", "%", "least", "greatest", "coalesce"], inner, inner),
        _calls(["negate", "abs", "ln", "log1p", "exp", "sqrt", "round", "floor", "ceil"], inner),
        _calls(["if"], st.just(Column("f")), inner, inner),
    ),
    max_leaves=4,
)
texts = st.one_of(_strings, _calls(["lower", "upper"], _strings), _calls(["coalesce"], _strings, _strings))
_patterns = st.sampled_from(["%", "w%", "_eb", "a\\_", ""]).map(Literal)
_compare = ["=", "<>", "<", "<=", ">", ">="]
tests = st.one_of(
    _calls(_compare, sums, sums),
    _calls(_compare, texts, texts),
    _calls(["between"], sums, sums, sums),
    _calls(["is null"], st.one_of(sums, texts)),
    _calls(["like", "ilike"], texts, _patterns),
    _calls(["in"], sums, st.integers(-3, 3).map(Literal), st.just(Literal(0.5))),
    st.just(Column("f")),
)
trees = st.recursive(
    tests,
    lambda inner: st.one_of(_calls(["and", "or"], inner, inner), _calls(["not"], inner)),
    max_leaves=5,
)
_RANK = {"or": 1, "and": 2, "not": 3, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6, "negate": 7}


def _rank(node: Node) -> int:
    return _RANK.get(node.op, 9 if node.op in FUNCTIONS else 4) if isinstance(node, Call) else 9


def write(node: Node, least: int = 0) -> str:
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
            return f"not {write(one, 3)}"
        case Call("negate", (one,)):
            return f"- {write(one, 8)}" if not isinstance(one, Literal) else f"- ({write(one)})"
        case Call("is null", (one,)):
            return f"{write(one, 5)} is null"
        case Call("in", (one, *items)):
            return f"{write(one, 5)} in ({', '.join(map(_bare, items))})"
        case Call("between", (one, low, high)):
            return f"{write(one, 5)} between {write(low, 5)} and {write(high, 5)}"
        case Call(op, args) if _rank(node) == 9:
            return f"{op}({', '.join(map(_bare, args))})"
        case Call(op, (left, right)):
            rank = _rank(node)
            first, second = (5, 5) if rank == 4 else (rank, rank + 1)
            return f"{write(left, first)} {op} {write(right, second)}"
    raise AssertionError(node)


def worth(node: Node, row: dict[str, Any]) -> Any:  # noqa: PLR0911 - one a form
    """Three-valued evaluation in plain Python; int64 overflow and division by zero are null."""
    match node:
        case Column(name):
            return row[name]
        case Literal(constant):
            return constant
        case Call("and" | "or" as op, args):
            values = [worth(arg, row) for arg in args]
            decisive = op == "or"
            return decisive if decisive in values else None if None in values else not decisive
        case Call("is null", (one,)):
            return worth(one, row) is None
        case Call("coalesce" | "least" | "greatest" | "if", args):
            return _picked(node, [worth(arg, row) for arg in args])
    floats = any(kind == "float" for kind in _kinds(node.args))
    values = [_as(worth(arg, row), floats) for arg in node.args]
    if node.op == "between":
        value, low, high = map(_ordered, values)
        sides = (None if None in (value, low) else value >= low, None if None in (value, high) else value <= high)
        return False if False in sides else None if None in sides else True
    return None if None in values else _apply(node.op, *values)


def _kinds(args: tuple[Node, ...]) -> list[LogicalType]:
    return [typed(arg, TYPES)[1] for arg in args]


def _as(value: Any, floats: bool) -> Any:
    """Numbers are floats where one of them is."""
    return float(value) if floats and isinstance(value, int) and not isinstance(value, bool) else value


def _ordered(value: Any) -> Any:
    """Something to compare: NaN is equal to itself and greater than any number."""
    return (math.isnan(value), 0.0 if math.isnan(value) else value) if isinstance(value, float) else value


def _picked(node: Call, values: list[Any]) -> Any:
    floats = typed(node, TYPES)[1] == "float"
    if node.op == "if":
        return _as(values[1] if values[0] else values[2], floats)
    there = [_as(value, floats) for value in values if value is not None]
    if not there or node.op == "coalesce":
        return there[0] if there else None
    return (min if node.op == "least" else max)(there, key=_ordered)


def _apply(op: str, *v: Any) -> Any:
    if op in ("/", "%") and v[1] == 0:
        return None
    if op == "%" and isinstance(v[0], int):
        return abs(v[0]) % abs(v[1]) * (1 if v[0] >= 0 else -1)
    functions: dict[str, Callable[..., Any]] = {
        "+": operator.add, "-": operator.sub, "*": operator.mul, "negate": operator.neg, "abs": abs,
        "/": lambda a, b: float(a) / float(b), "%": lambda a, b: math.nan if math.isinf(a) else math.fmod(a, b),
        "not": operator.not_, "in": lambda a, *items: _ordered(a) in map(_ordered, items),
        "lower": str.lower, "upper": str.upper, "like": _like, "ilike": lambda a, p: _like(a.lower(), p.lower()),
    }  # fmt: skip
    try:
        if op in COMPARE:
            return COMPARE[op](_ordered(v[0]), _ordered(v[1]))
        result = _FUNCTIONS[op](float(v[0])) if op in _FUNCTIONS else functions[op](*v)
    except OverflowError:
        return math.inf
    whole = isinstance(result, int) and not isinstance(result, bool)
    return None if whole and not -(2**63) <= result < 2**63 else result


def _log1p(x: float) -> float | None:
    """W. Kahan's."""
    if x <= -1:
        return None
    return x if 1 + x == 1 else math.log(1 + x) * (x / ((1 + x) - 1)) if 1 + x < math.inf else math.nan


def _rounded(x: float) -> float:
    whole, rest = math.trunc(x), x - math.trunc(x)
    return float(whole + (math.copysign(1, x) if abs(rest) >= 0.5 else 0))


def _finite(function: Callable[[float], Any]) -> Callable[[float], Any]:
    return lambda x: function(x) if math.isfinite(x) else x


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_FUNCTIONS: dict[str, Callable[[float], Any]] = {
    "ln": lambda x: None if x <= 0 else math.log(x),
    "sqrt": lambda x: None if x < 0 else math.sqrt(x),
    "exp": math.exp,
    "log1p": _log1p,
    "round": _finite(_rounded),
    "floor": _finite(lambda x: float(math.floor(x))),
    "ceil": _finite(lambda x: float(math.ceil(x))),
}


def _like(text: str, pattern: str) -> bool:
    return re.fullmatch("(?s)" + "".join({"%": ".*", "_": "."}.get(c, re.escape(c)) for c in pattern), text) is not None


def simplest(node: Node) -> Node:
    """As the parser gives it: no double negation, a negative number is a constant."""
    if not isinstance(node, Call):
        return node
    args = tuple(map(simplest, node.args))
    if node.op == "not" and isinstance(args[0], Call) and args[0].op == "not":
        return args[0].args[0]
    if node.op == "negate" and isinstance(args[0], Literal) and not isinstance(args[0].value, str):
        return Literal(-args[0].value)
    return Call(node.op, args)
