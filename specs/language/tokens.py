"""The words of a condition: numbers, names, quoted texts and signs, each with its place."""

import re
from dataclasses import dataclass

_WORDS = r"""\s+
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<name>[^\W\d]\w*%s)
    | '(?P<string>(?:[^']|'')*)'
    | "(?P<quoted>(?:[^"]|"")+)"
    | (?P<sign><=|>=|<>|!=|==|--|/\*|[-+*/%%(),<>=])"""
_TOKEN = re.compile(_WORDS % "", re.VERBOSE)
_DOTTED = re.compile(_WORDS % r"(?:\.[^\W\d]\w*)?", re.VERBOSE)


@dataclass(frozen=True)
class Token:
    """A word: `kind` is number, name, string (text in single quotes), quoted (a column) or sign; `at` counts from 0."""

    kind: str
    text: str
    at: int


def tokenize(text: str, noun: str = "condition", *, dotted: bool = False) -> list[Token]:
    """The words of a text; ValueError at the first character that begins none.

    With `dotted`, a name may be two with a dot between them. `noun` is what errors call the text.
    """
    pattern = _DOTTED if dotted else _TOKEN
    tokens, at = [], 0
    while at < len(text):
        match = pattern.match(text, at)
        if match is None:
            raise ValueError(_unknown(text, at, noun))
        kind = match.lastgroup
        if kind is not None:
            tokens.append(Token(kind, match[kind], at))
        at = match.end()
    return tokens


def _unknown(text: str, at: int, noun: str) -> str:  # noqa: PLR0911 - one a mistake
    char, where = text[at], f"at character {at + 1} of {text!r}"
    if char in "'\"":
        return f"a quote {char} is not closed {where}"
    if char == ";":
        one = "an expression is one formula" if noun == "expression" else f"a {noun} is one expression"
        return f"{one}: {char!r} is not allowed {where}"
    if char in "&|":
        return f"{char!r} is not an operator: write {'and' if char == '&' else 'or'} {where}"
    if char == ".":
        if noun == "expression":
            return f"a feature of another view is written view.feature: '.' is not allowed {where}"
        return f"columns are written without a table: '.' is not allowed {where}"
    if char.isdigit():
        return f"a name or number cannot be read {where}: a column that starts with a digit goes in double quotes"
    return f"{char!r} is not allowed {where}"
