"""The grammar of conditions: text to a tree of columns, literals and a closed set of operators.

    or      = and {"or" and}
    and     = not {"and" not}
    not     = ["not"] test
    test    = sum [("=" | "!=" | "<>" | "<" | "<=" | ">" | ">=") sum
                  | ["not"] ("in" "(" literal {"," literal} ")" | "between" sum "and" sum | ("like" | "ilike") string)
                  | "is" ["not"] "null"]
    sum     = product {("+" | "-") product}
    product = unary {("*" | "/" | "%") unary}
    unary   = ["-"] atom
    atom    = number | string | "true" | "false" | column | function "(" or {"," or} ")" | "(" or ")"

The grammar is the whole language: there is no rule that could read a file, start a query or name a table.
"""

import math
from dataclasses import dataclass

from limner.language.suggest import a
from limner.language.tokens import Token, tokenize

FUNCTIONS = {
    "lower": (1, 1), "upper": (1, 1), "length": (1, 1), "abs": (1, 1), "coalesce": (2, 10),
    "ln": (1, 1), "log1p": (1, 1), "exp": (1, 1), "sqrt": (1, 1),
    "round": (1, 1), "floor": (1, 1), "ceil": (1, 1),
    "least": (2, 10), "greatest": (2, 10), "if": (3, 3),
}  # fmt: skip
"""Functions by name, with the least and the greatest number of arguments."""

REPEATING = frozenset(("ln", "log1p", "sqrt"))
"""Functions whose SQL names the argument several times: they nest at most MAX_REPEATING deep."""

MAX_TEXT = 4_000
MAX_DEPTH = 50
MAX_STEPS = 200
MAX_REPEATING = 3

_COMPARE = {"=": "=", "==": "=", "!=": "<>", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_WORDS = frozenset(["and", "or", "not", "in", "between", "like", "ilike", "is", "null", "true", "false"])
_REFUSED = {
    "select": "queries", "exists": "queries", "case": "case expressions", "cast": "casts (use clean: cast)",
}  # fmt: skip


@dataclass(frozen=True)
class Column:
    """A column by its name, case-sensitive."""

    name: str


@dataclass(frozen=True)
class Literal:
    """A constant; never null."""

    value: int | float | str | bool


@dataclass(frozen=True)
class Call:
    """An operator or function (`op`, lower case) with its arguments in the order of reading."""

    op: str
    args: "tuple[Node, ...]"


Node = Column | Literal | Call


def parse(text: str, noun: str = "condition", *, dotted: bool = False) -> Node:
    """The tree of a condition; ValueError names the first thing that is not allowed and where it stands.

    `noun` is what errors call it. With `dotted`, `view.feature` is a column of that very name.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"{a(noun)} of {len(text)} characters: {MAX_TEXT} are the limit")
    parser = _Parser(text, noun, dotted)
    tree = parser.either()
    parser.finish()
    return tree


class _Parser:
    """Recursive descent; one method a rule of the grammar."""

    def __init__(self, text: str, noun: str, dotted: bool) -> None:
        self.text = text
        self.noun = noun
        self.tokens = tokenize(text, noun, dotted=dotted)
        self.next = 0
        self.depth = 0
        self.steps = 0
        self.repeating = 0

    def either(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        left = self._both()
        while self._take("or"):
            left = self._step("or", left, self._both())
        self.depth -= 1
        return left

    def finish(self) -> None:
        """Nothing may follow the expression."""
        if self.next < len(self.tokens):
            raise self._unexpected()

    def _step(self, op: str, left: Node, right: Node) -> Node:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise ValueError(f"more than {MAX_STEPS} operators in one {self.noun}: use in (...), or clean the source")
        return Call(op, (left, right))

    def _both(self) -> Node:
        left = self._negated()
        while self._take("and"):
            left = self._step("and", left, self._negated())
        return left

    def _negated(self) -> Node:
        count = 0
        while self._take("not"):
            count += 1
        node = self._test()
        return Call("not", (node,)) if count % 2 else node

    def _test(self) -> Node:
        left = self._sum()
        token = self._peek()
        if token and token.kind == "sign" and token.text in _COMPARE:
            self.next += 1
            if self._word() == "null":
                raise ValueError(f"a comparison with null is never true in {self.text!r}: write is null or is not null")
            compared = Call(_COMPARE[token.text], (left, self._sum()))
            follows = self._peek()
            if follows and follows.kind == "sign" and follows.text in _COMPARE:
                raise ValueError(f"comparisons cannot be chained in {self.text!r}: write a < b and b < c")
            return compared
        if self._take("is"):
            negated = self._take("not")
            if not self._take("null"):
                raise self._unexpected("null (is null, is not null)")
            return _unless(negated, Call("is null", (left,)))
        negated = self._take("not")
        if self._take("in"):
            return _unless(negated, Call("in", (left, *self._list())))
        if self._take("between"):
            low = self._sum()
            self._require("and")
            return _unless(negated, Call("between", (left, low, self._sum())))
        for op in ("like", "ilike"):
            if self._take(op):
                return _unless(negated, Call(op, (left, self._pattern())))
        if negated:
            raise self._unexpected("in, between, like or ilike after not")
        return left

    def _list(self) -> list[Node]:
        self._require("(")
        items: list[Node] = []
        while not items or self._take(","):
            item = self._unary()
            if not isinstance(item, Literal):
                raise ValueError(f"in (...) takes a list of constants in {self.text!r}; text goes in single quotes")
            items.append(item)
        self._require(")")
        return items

    def _pattern(self) -> Node:
        item = self._atom()
        if not isinstance(item, Literal) or not isinstance(item.value, str):
            raise ValueError(f"like takes a pattern in single quotes in {self.text!r}, e.g. name like 'A%'")
        return item

    def _sum(self) -> Node:
        left = self._product()
        while (op := self._take_any("+", "-")) is not None:
            left = self._step(op, left, self._product())
        return left

    def _product(self) -> Node:
        left = self._unary()
        while (op := self._take_any("*", "/", "%")) is not None:
            left = self._step(op, left, self._unary())
        return left

    def _unary(self) -> Node:
        if not self._take("-"):
            return self._atom()
        node = self._atom()
        if isinstance(node, Literal) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            return Literal(-node.value)
        return Call("negate", (node,))

    def _atom(self) -> Node:  # noqa: PLR0911 - one a form
        token = self._peek()
        if token is None:
            raise ValueError(f"{self.text!r} ends too early" if self.tokens else f"the {self.noun} is empty")
        self.next += 1
        word = token.text.lower()
        if token.kind == "number":
            return Literal(_number(token.text))
        if token.kind == "string":
            return Literal(_plain(token.text.replace("''", "'")))
        if token.kind == "quoted":
            return Column(_plain(token.text.replace('""', '"')))
        if token.text == "(":
            inner = self.either()
            self._require(")")
            return inner
        if token.kind == "name" and self._peek_is("("):
            return self._call(token)
        if token.kind == "name" and word in ("true", "false"):
            return Literal(word == "true")
        if token.kind == "name" and word not in _WORDS:
            if word in _REFUSED:
                raise ValueError(f"{_REFUSED[word]} are not allowed in {a(self.noun)}: {self.text!r}")
            return Column(token.text)
        self.next -= 1
        raise self._unexpected("a column, a number or text in single quotes")

    def _call(self, token: Token) -> Node:
        name = token.text.lower()
        if name not in FUNCTIONS:
            what = _REFUSED.get(name, f"the function {token.text!r} and its like")
            raise ValueError(f"{what} are not allowed in {a(self.noun)}; the functions are {', '.join(FUNCTIONS)}")
        self._require("(")
        self.repeating += name in REPEATING
        if self.repeating > MAX_REPEATING:
            raise ValueError(f"{', '.join(sorted(REPEATING))} nest at most {MAX_REPEATING} deep in {self.text!r}")
        args: list[Node] = []
        while not args or self._take(","):
            args.append(self.either())
        self._require(")")
        self.repeating -= name in REPEATING
        least, most = FUNCTIONS[name]
        if not least <= len(args) <= most:
            raise ValueError(f"{name} takes {least if least == most else f'{least} to {most}'} argument(s), "
                             f"found {len(args)} in {self.text!r}")  # fmt: skip
        return Call(name, tuple(args))

    def _peek(self) -> Token | None:
        return self.tokens[self.next] if self.next < len(self.tokens) else None

    def _word(self) -> str:
        token = self._peek()
        return token.text.lower() if token and token.kind in ("name", "sign") else ""

    def _peek_is(self, text: str) -> bool:
        return self._word() == text

    def _take(self, text: str) -> bool:
        taken = self._word() == text
        self.next += taken
        return taken

    def _take_any(self, *texts: str) -> str | None:
        return next((text for text in texts if self._take(text)), None)

    def _require(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(repr(text))

    def _unexpected(self, expected: str = "") -> ValueError:
        token = self._peek()
        wanted = f", expected {expected}" if expected else ""
        if token is None:
            return ValueError(f"{self.text!r} ends too early{wanted}")
        if token.text in ("--", "/*"):
            return ValueError(f"comments are not allowed in {a(self.noun)}: {self.text!r}")
        if token.text.lower() in _REFUSED:
            return ValueError(f"{_REFUSED[token.text.lower()]} are not allowed in {a(self.noun)}: {self.text!r}")
        hint = "; a column named like a keyword goes in double quotes" if token.kind == "name" else ""
        return ValueError(f"unexpected {token.text!r} at character {token.at + 1} of {self.text!r}{wanted}{hint}")


def _unless(negated: bool, node: Node) -> Node:
    return Call("not", (node,)) if negated else node


def _number(text: str) -> int | float:
    if text.isdigit():
        if int(text) >= 2**63:
            raise ValueError(f"{text} does not fit in 64 bits")
        return int(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is too large for a number")
    return value


def _plain(text: str) -> str:
    if "\x00" in text:
        raise ValueError("the character U+0000 is not allowed here")
    return text
