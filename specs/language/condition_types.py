"""Types of conditions: what may be compared with what, and which texts stand for instants."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from limner.language.durations import parse_instant
from limner.language.suggest import a
from limner.language.syntax import Call, Column, Literal, Node
from limner.language.types import LogicalType

_NUMBERS = ("int", "float")
_WHOLE = frozenset(("+", "-", "*", "%", "negate", "abs"))  # of whole numbers they give whole numbers
_COMPARE = frozenset(("=", "<>", "<", "<=", ">", ">="))


class UnknownColumnError(ValueError):
    """A column the data does not have."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"there is no column {name!r}")


def resolve(node: Node, columns: Mapping[str, LogicalType]) -> Node:
    """The tree with each text that is compared with a timestamp put as its UTC instant.

    ValueError names both types where they clash; UnknownColumnError a column that is not in `columns`.
    """
    resolved, kind = typed(node, columns)
    if kind != "bool":
        raise ValueError(f"a condition must be true or false, this one is {a(kind)}")
    return resolved


def typed(node: Node, columns: Mapping[str, LogicalType]) -> tuple[Node, LogicalType]:  # noqa: PLR0911 - one a rule
    """The tree as `resolve` gives it, and the type of its value, whatever it is."""
    match node:
        case Column(name):
            if name not in columns:
                raise UnknownColumnError(name)
            return node, columns[name]
        case Literal(value):
            return node, _type_of(value)
        case Call("and" | "or" | "not", args):
            return _all(node, args, columns, "bool", "bool")
        case Call("is null", (only,)):
            return Call("is null", (typed(only, columns)[0],)), "bool"
        case Call("like" | "ilike", args):
            return _all(node, args, columns, "string", "bool")
        case Call("lower" | "upper", args):
            return _all(node, args, columns, "string", "string")
        case Call("length", args):
            return _all(node, args, columns, "string", "int")
        case Call("coalesce" | "least" | "greatest" as op, args):
            return _alike(op, args, columns)
        case Call("if", (condition, *branches)):
            test = resolve(condition, columns)
            chosen, kind = _alike("if", tuple(branches), columns)
            assert isinstance(chosen, Call)
            return Call("if", (test, *chosen.args)), kind
        case Call(op, args) if op in _COMPARE or op in ("in", "between"):
            return _alike(op, args, columns)[0], "bool"
        case Call(op, args):
            return _arithmetic(op, args, columns)
    raise AssertionError(f"no rule for {node!r}")


def _all(
    node: Call,
    args: tuple[Node, ...],
    columns: Mapping[str, LogicalType],
    wanted: LogicalType,
    gives: LogicalType,
) -> tuple[Node, LogicalType]:
    resolved = []
    for arg in args:
        inner, kind = typed(arg, columns)
        if kind != wanted:
            raise ValueError(f"{_show(arg)} is {a(kind)}, but {node.op} takes {a(wanted)}")
        resolved.append(inner)
    return Call(node.op, tuple(resolved)), gives


def _alike(op: str, args: tuple[Node, ...], columns: Mapping[str, LogicalType]) -> tuple[Node, LogicalType]:
    """All arguments of one type; numbers mix, and texts beside a timestamp become instants."""
    found = [typed(arg, columns) for arg in args]
    kinds = [kind for _, kind in found]
    nodes = [inner for inner, _ in found]
    if "timestamp" in kinds:
        nodes = [_instant(inner) for inner in nodes]
        kinds = ["timestamp" if isinstance(inner, Literal) else kind for inner, kind in zip(nodes, kinds, strict=True)]
    first = kinds[0]
    for arg, kind in zip(args[1:], kinds[1:], strict=True):
        if kind != first and not (kind in _NUMBERS and first in _NUMBERS):
            raise ValueError(f"{_show(args[0])} is {a(first)} and {_show(arg)} is {a(kind)}: "
                             f"they cannot be compared{_advice(args[0], arg)}")  # fmt: skip
    mixed: LogicalType = "float" if "float" in kinds else first
    return Call(op, tuple(nodes)), mixed


def _advice(first: Node, second: Node) -> str:
    for constant in (first, second):
        if isinstance(constant, Literal) and not isinstance(constant.value, bool):
            text = isinstance(constant.value, str)
            return " (write numbers without quotes)" if text else " (write text in single quotes)"
    return ""


def _arithmetic(op: str, args: tuple[Node, ...], columns: Mapping[str, LogicalType]) -> tuple[Node, LogicalType]:
    found = [typed(arg, columns) for arg in args]
    for arg, (_, kind) in zip(args, found, strict=True):
        if kind not in _NUMBERS:
            name = {"negate": "-"}.get(op, op)
            raise ValueError(f"{_show(arg)} is {a(kind)}, but {name} takes numbers")
    floats = op not in _WHOLE or any(kind == "float" for _, kind in found)
    return Call(op, tuple(inner for inner, _ in found)), "float" if floats else "int"


def _instant(node: Node) -> Node:
    """A constant text as canonical UTC, whose offset every SQL type reads the same way."""
    if not isinstance(node, Literal) or not isinstance(node.value, str):
        return node
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=parse_instant(node.value))
    return Literal(moment.isoformat(sep=" "))


def _type_of(value: int | float | str | bool) -> LogicalType:
    names: dict[type, LogicalType] = {bool: "bool", int: "int", float: "float", str: "string"}
    return names[type(value)]


def _show(node: Node) -> str:
    match node:
        case Column(name):
            return name
        case Literal(value):
            return repr(value)
        case Call(op, _):
            return f"the result of {op}"
