"""Conditions over columns, read and evaluated without SQL: a small parser and SQL's three-valued logic."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from tests.oracle.instants import read

Row = Mapping[str, Any]
Evaluate = Callable[[Row], Any]

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)|(?P<text>'(?:[^']|'')*')|(?P<quoted>\"(?:[^\"]|\"\")*\")"
    r"|(?P<word>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?)|(?P<sign><>|!=|<=|>=|[-+*/%=<>(),]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "lower": str.lower,
    "upper": str.upper,
    "length": len,
    "abs": abs,
    "ln": lambda x: math.log(x) if x > 0 else None,
    "sqrt": lambda x: math.sqrt(x) if x >= 0 else None,
    "exp": lambda x: _reached(math.exp, x),
    "log1p": lambda x: _log1p(float(x)),
    "round": lambda x: _whole(lambda y: math.copysign(math.floor(abs(y)) + (abs(y) % 1 >= 0.5), y), x),
    "floor": lambda x: _whole(math.floor, x),
    "ceil": lambda x: _whole(math.ceil, x),
}
_PICKS: dict[str, Callable[[list[Any]], Any]] = {
    "coalesce": lambda values: values[0],
    "least": min,
    "greatest": max,
}


def holds(text: str, row: Row) -> bool:
    """Whether the condition is true for the row; unknown (null) is false."""
    return truth(text, row) is True


def truth(text: str, row: Row) -> Any:
    """True, false, or None for null."""
    return _parse(text)(row)


@lru_cache(maxsize=4096)
def _parse(text: str) -> Evaluate:
    parser = _Parser(text)
    tree = parser.disjunction()
    assert parser.next is None, f"the oracle cannot read {text!r}"
    return tree


class _Parser:
    """Recursive descent; each method returns a function from a row to a value, None being null."""

    def __init__(self, text: str) -> None:
        self.tokens: list[tuple[str, str]] = []
        place = 0
        while text[place:].strip():
            match = _TOKEN.match(text, place)
            assert match, f"the oracle cannot read {text!r}"
            assert match.lastgroup, text
            self.tokens.append((match.lastgroup, match[match.lastgroup]))
            place = match.end()
        self.place = 0

    @property
    def next(self) -> str | None:
        if self.place == len(self.tokens):
            return None
        kind, text = self.tokens[self.place]
        return text.lower() if kind in ("word", "sign") else kind

    def take(self, *wanted: str) -> bool:
        found = self.next in wanted
        self.place += found
        return found

    def need(self, wanted: str) -> None:
        assert self.take(wanted), f"expected {wanted}, found {self.next}"

    def disjunction(self) -> Evaluate:
        parts = [self.conjunction()]
        while self.take("or"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else lambda row: _any([part(row) for part in parts])

    def conjunction(self) -> Evaluate:
        parts = [self.negation()]
        while self.take("and"):
            parts.append(self.negation())
        return parts[0] if len(parts) == 1 else lambda row: _not(_any([_not(part(row)) for part in parts]))

    def negation(self) -> Evaluate:
        if self.take("not"):
            inner = self.negation()
            return lambda row: _not(inner(row))
        return self.predicate()

    def predicate(self) -> Evaluate:
        left = self.total()
        if self.take("is"):
            wanted = not self.take("not")
            self.need("null")
            return lambda row: (left(row) is None) is wanted
        for sign, compare in _COMPARE.items():
            if self.take(sign):
                return _strict(compare, left, self.total())
        negated = self.take("not")
        found = self._listed(left)
        return (lambda row: _not(found(row))) if negated else found

    def _listed(self, left: Evaluate) -> Evaluate:
        """`in`, `between`, `like`, or a value by itself."""
        if self.take("in"):
            self.need("(")
            options = [self.total()]
            while self.take(","):
                options.append(self.total())
            self.need(")")
            return lambda row: _any([_strict(_COMPARE["="], left, option)(row) for option in options])
        if self.take("between"):
            low = self.total()
            self.need("and")
            high = self.total()
            above, below = _strict(_COMPARE[">="], left, low), _strict(_COMPARE["<="], left, high)
            return lambda row: _not(_any([_not(above(row)), _not(below(row))]))
        if self.take("like"):
            return _strict(_like, left, self.total())
        return left

    def total(self) -> Evaluate:
        left = self.product()
        while (sign := self.next) in ("+", "-"):
            self.take(sign)
            left = _strict(_add if sign == "+" else _subtract, left, self.product())
        return left

    def product(self) -> Evaluate:
        left = self.unary()
        while (sign := self.next) in ("*", "/", "%"):
            self.take(sign)
            left = _strict({"*": _multiply, "/": _divide, "%": _remainder}[sign], left, self.unary())
        return left

    def unary(self) -> Evaluate:
        if self.take("-"):
            inner = self.unary()
            return lambda row: None if (value := inner(row)) is None else -value
        return self.atom()

    def atom(self) -> Evaluate:
        if self.take("("):
            inner = self.disjunction()
            self.need(")")
            return inner
        kind, text = self.tokens[self.place]
        self.place += 1
        if kind == "number":
            number = float(text) if re.search(r"[.eE]", text) else int(text)
            return lambda row: number
        if kind == "text":
            literal = text[1:-1].replace("''", "'")
            return lambda row: literal
        if kind == "word" and text.lower() in ("true", "false"):
            return lambda row: text.lower() == "true"
        if kind == "word" and self.take("("):
            return self._call(text.lower())
        name = text[1:-1].replace('""', '"') if kind == "quoted" else text
        return lambda row: row[name]

    def _call(self, name: str) -> Evaluate:
        arguments = [self.disjunction()]
        while self.take(","):
            arguments.append(self.disjunction())
        self.need(")")
        if name == "if":
            test, then, otherwise = arguments
            return lambda row: then(row) if test(row) is True else otherwise(row)
        if name in _PICKS:
            return lambda row: _pick(name, [v for a in arguments if (v := a(row)) is not None])
        function, (argument,) = _FUNCTIONS[name], arguments
        return lambda row: None if (value := argument(row)) is None else function(value)


def _strict(operate: Callable[[Any, Any], Any], left: Evaluate, right: Evaluate) -> Evaluate:
    """Null if either side is; a text beside an instant is an ISO 8601 instant."""

    def evaluate(row: Row) -> Any:
        a, b = left(row), right(row)
        if a is None or b is None:
            return None
        if isinstance(a, datetime) and isinstance(b, str):
            b = read(datetime.fromisoformat(b), "UTC")
        if isinstance(b, datetime) and isinstance(a, str):
            a = read(datetime.fromisoformat(a), "UTC")
        return operate(a, b)

    return evaluate


def value_of(text: str, row: Row) -> Any:
    """What the expression is worth for the row; a float that is not finite is null."""
    value = _parse(text)(row)
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _pick(name: str, values: list[Any]) -> Any:
    """Of the values that are not null; numbers of both kinds are floats."""
    if any(isinstance(value, float) for value in values):
        values = [float(value) for value in values]
    return _PICKS[name](values) if values else None


def _log1p(x: float) -> float | None:
    """ln(1 + x), with W. Kahan's factor for what 1 + x loses."""
    if x <= -1 or 1 + x == 1:
        return None if x <= -1 else x
    return math.log(1 + x) * (x / ((1 + x) - 1))


def _reached(function: Callable[[float], float], x: float) -> float:
    try:
        return function(x)
    except OverflowError:
        return math.inf


def _whole(function: Callable[[float], float], x: float) -> float:
    return float(function(x)) if math.isfinite(x) else float(x)


def _not(value: Any) -> bool | None:
    return None if value is None else not value


def _any(values: list[Any]) -> bool | None:
    if any(value is True for value in values):
        return True
    return None if any(value is None for value in values) else False


def _add(a: Any, b: Any) -> Any:
    return a + b


def _subtract(a: Any, b: Any) -> Any:
    return a - b


def _multiply(a: Any, b: Any) -> Any:
    return a * b


def _divide(a: Any, b: Any) -> Any:
    return None if b == 0 else a / b


def _remainder(a: Any, b: Any) -> Any:
    """The sign is the dividend's."""
    if b == 0:
        return None
    return math.fmod(a, b) if isinstance(a, float) or isinstance(b, float) else abs(a) % abs(b) * (-1 if a < 0 else 1)


def _like(text: str, pattern: str) -> bool:
    parts = {"%": ".*", "_": "."}
    return re.fullmatch("".join(parts.get(c, re.escape(c)) for c in pattern), text, re.DOTALL) is not None
