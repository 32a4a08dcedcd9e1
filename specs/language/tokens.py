"""The words of a condition: numbers, names, quoted texts and signs, each with its place."""

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""\s+
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))
    | (?P<name>[^\W\d]\w*)
    | '(?P<string>(?:[^']|'')*)'
    | "(?P<quoted>(?:[^"]|"")+)"
    | (?P<sign><=|>=|<>|!=|==|--|/\*|[-+*/%(),<>=])""",
    re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A word: `kind` is number, name, string (text in single quotes), quoted (a column) or sign; `at` counts from 0."""

    kind: str
    text: str
    at: int


def tokenize(text: str) -> list[Token]:
    """The words of a text; ValueError at the first character that begins none."""
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(_unknown(text, at))
        kind = match.lastgroup
        if kind is not None:
            tokens.append(Token(kind, match[kind], at))
        at = match.end()
    return tokens


def _unknown(text: str, at: int) -> str:
    char, where = text[at], f"at character {at + 1} of {text!r}"
    if char in "'\"":
        return f"a quote {char} is not closed {where}"
    if char == ";":
        return f"a condition is one expression: {char!r} is not allowed {where}"
    if char in "&|":
        return f"{char!r} is not an operator: write {'and' if char == '&' else 'or'} {where}"
    if char == ".":
        return f"columns are written without a table: '.' is not allowed {where}"
    if char.isdigit():
        return f"a name or number cannot be read {where}: a column that starts with a digit goes in double quotes"
    return f"{char!r} is not allowed {where}"
