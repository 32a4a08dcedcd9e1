"""Expressions over Arrow columns, without SQL: the same values as the same expression in a source's `where`.

Each row's value depends on that row alone, to the last bit: a request, a training set and a backfill agree.
`lower` and `upper` know the letters of the Unicode version that Arrow has.
"""

from collections.abc import Mapping

import pyarrow as pa

from limner.language.condition_types import typed
from limner.language.expressions import Expression
from limner.language.syntax import Call, Column, Literal, Node
from limner.language.types import LogicalType
from limner.workers.derive import logic, numbers
from limner.workers.derive.values import Value, constant, kind_of, of_arrow, to_arrow


def evaluate(expression: Expression, columns: Mapping[str, pa.Array | pa.ChunkedArray], length: int | None = None
) -> pa.Array:  # fmt: skip
    """The values of an expression, as the Arrow type of its result type; `columns` holds all that it reads, by name.

    `length` is the number of rows, needed only where an expression reads no column. A float result that is not
    finite is null. ValueError where types clash, UnknownColumnError where a column is missing.
    """
    used = {name: columns[name] for name in expression.columns if name in columns}
    tree, _ = typed(expression.tree, types(used))
    rows = len(next(iter(used.values()))) if used else length
    if rows is None:
        raise ValueError(f"{expression.text!r} reads no column: say how many rows")
    return to_arrow(_value(tree, {name: of_arrow(column) for name, column in used.items()}), rows)


def types(columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> dict[str, LogicalType]:
    """The logical types of columns."""
    return {name: kind_of(column.type) for name, column in columns.items()}


def _value(node: Node, columns: Mapping[str, Value]) -> Value:
    match node:
        case Column(name):
            return columns[name]
        case Literal(value):
            return constant(value)
        case Call("like" | "ilike" as op, (text, Literal(str(pattern)))):
            return logic.like(_value(text, columns), pattern, fold=op == "ilike")
        case Call(op, args):
            return _applied(op, [_value(arg, columns) for arg in args])
    raise AssertionError(f"no rule for {node!r}")


def _applied(op: str, values: list[Value]) -> Value:  # noqa: PLR0911, PLR0912 - one a rule
    match op, values:
        case "and", (left, right):
            return logic.conjunction(left, right)
        case "or", (left, right):
            return logic.disjunction(left, right)
        case "not", (only,):
            return logic.negation(only)
        case "is null", (only,):
            return Value("bool", only.null, only.null & False)
        case "in", (left, *options):
            return logic.member(left, options)
        case "between", (_, _, _):
            value, low, high = logic.alike(values)
            return logic.conjunction(logic.compare(">=", value, low), logic.compare("<=", value, high))
        case (("=" | "<>" | "<" | "<=" | ">" | ">="), (left, right)):
            return logic.compare(op, left, right)
        case "coalesce", _:
            return logic.coalesce(values)
        case (("least" | "greatest"), _):
            return logic.extreme(op, values)
        case "if", (condition, then, otherwise):
            return logic.choose(condition, then, otherwise)
        case (("lower" | "upper" | "length"), (only,)):
            return logic.text(op, only)
        case (("+" | "-" | "*" | "/" | "%"), (left, right)):
            return numbers.binary(op, left, right)
        case (("negate" | "abs"), (only,)):
            return numbers.unary(op, only)
        case _, (only,):
            return numbers.function(op, only)
    raise AssertionError(f"no rule for {op}")
