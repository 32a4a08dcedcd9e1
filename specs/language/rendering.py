"""Conditions as DuckDB SQL: every name quoted, every step in parentheses, nothing left to precedence."""

from limner.language.syntax import Call, Column, Literal, Node

_INFIX = frozenset(("and", "or", "=", "<>", "<", "<=", ">", ">=", "like", "ilike"))
# DuckDB answers NaN outside of a function's domain, and NaN is greater than all numbers. log1p is W. Kahan's: of
# 1 + x, whose rounding error the factor takes out again.
_WITHIN = {
    "ln": "CASE WHEN {0} > 0 THEN ln({0}) END",
    "sqrt": "CASE WHEN {0} >= 0 THEN sqrt({0}) END",
    "log1p": "CASE WHEN {0} <= -1 THEN NULL WHEN 1e0 + {0} = 1 THEN {0} "
    "ELSE ln(1e0 + {0}) * ({0} / ((1e0 + {0}) - 1e0)) END",
}
_ARITHMETIC = frozenset("+-*")


def sql(node: Node) -> str:  # noqa: PLR0911, PLR0912 - one a rule
    """The SQL of a tree. Arithmetic that overflows, and division by zero, give null instead of an error."""
    match node:
        case Column(name):
            return '"' + name.replace('"', '""') + '"'
        case Literal(value):
            return literal(value)
        case Call("not" | "is null" | "negate" as op, (only,)):
            # DuckDB widens the negative of a constant that is the least BIGINT; a difference overflows as it should.
            negated = "TRY(CAST(0 AS BIGINT) - {})"
            return {"not": "(NOT {})", "is null": "({} IS NULL)", "negate": negated}[op].format(sql(only))
        case Call("in", (left, *items)):
            return f"({sql(left)} IN ({', '.join(map(sql, items))}))"
        case Call("between", (value, low, high)):
            return f"({sql(value)} BETWEEN {sql(low)} AND {sql(high)})"
        case Call("/" | "%" as op, (left, right)):
            return f"TRY({sql(left)} {op} NULLIF({sql(right)}, 0))"
        case Call(op, (left, right)) if op in _ARITHMETIC:
            return f"TRY({sql(left)} {op} {sql(right)})"
        case Call(op, (left, right)) if op in _INFIX:
            return f"({sql(left)} {op.upper()} {sql(right)})"
        case Call("abs", (only,)):
            return f"TRY(abs({sql(only)}))"
        case Call("lower" | "upper" | "length" | "coalesce" | "least" | "greatest" as op, args):
            return f"{op}({', '.join(map(sql, args))})"
        case Call("if", (condition, then, otherwise)):
            return f"CASE WHEN {sql(condition)} THEN {sql(then)} ELSE {sql(otherwise)} END"
        case Call("exp" | "round" | "floor" | "ceil" as op, (only,)):
            return f"{op}(CAST({sql(only)} AS DOUBLE))"
        case Call("ln" | "sqrt" | "log1p" as op, (only,)):
            return _WITHIN[op].format(f"CAST({sql(only)} AS DOUBLE)")
    raise AssertionError(f"no rule for {node!r}")


def literal(value: int | float | str | bool) -> str:
    """A constant of the type it is compared as: BIGINT, DOUBLE (never DECIMAL), VARCHAR or BOOLEAN."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    text = repr(value)
    if isinstance(value, int):
        return f"CAST({text} AS BIGINT)"
    return text if "e" in text else f"{text}e0"
