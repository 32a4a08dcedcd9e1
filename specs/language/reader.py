"""YAML as the specs use it: plain mappings, lists and scalars, every one with its place.

Stricter than PyYAML where PyYAML guesses: two equal keys are an error, only `true` and `false` are booleans, `12:30`
and `2026-01-31` stay text, and nothing in a file can make objects or grow without bound.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from limner.language.errors import Problem
from limner.language.places import Origin, Path, Place

MAX_NODES = 200_000
MAX_DEPTH = 40
_PLAIN = "limner:plain"
_TEXT = "tag:yaml.org,2002:str"
_COLLECTIONS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULLABLE = ("examples",)  # rows and expected values: the one place where null can be written
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True)
class Document:
    """One YAML document: plain data, where each part was written, and the paths already reported as unusable."""

    data: Any
    origin: Origin
    refused: frozenset[Path]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Composes nodes only, and tells plain scalars from quoted ones by their tag."""

    yaml_implicit_resolvers: dict[Any, Any] = {}  # noqa: RUF012 - PyYAML's own shape


_Loader.add_implicit_resolver(_PLAIN, re.compile(r"(?s).*"), None)


def read(text: str, file: str) -> tuple[list[Document], list[Problem]]:
    """The documents of one file up to the first syntax error, and every problem met on the way."""
    documents: list[Document] = []
    problems: list[Problem] = []
    try:
        loader = _Loader(text)
        while loader.check_node():
            builder = _Builder(file)
            node = loader.get_node()
            data = builder.document(node)
            problems += builder.problems
            if data is not None:
                documents.append(Document(data, Origin(file, "", builder.places), frozenset(builder.refused)))
    except yaml.reader.ReaderError as error:
        problems.append(_unreadable(error, text, file))
    except yaml.MarkedYAMLError as error:
        problems.append(_syntax(error, text, file))
    return documents, problems


class _TooLargeError(Exception):
    """The document is deeper or larger than any spec: an alias that repeats itself."""


class _Builder:
    """Turns the nodes of one document into data, recording places and problems."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.places: dict[Path, Place] = {}
        self.refused: set[Path] = set()

    def document(self, node: Any) -> Any:
        """Plain data; None for an empty document and for one that was given up."""
        if isinstance(node, yaml.ScalarNode) and node.tag == _PLAIN and node.value in ("", "~", "null"):
            return None
        try:
            return self._build(node, (), _spot(node))
        except _TooLargeError:
            line, column = _spot(node)
            text = f"larger than {MAX_NODES} values or deeper than {MAX_DEPTH} levels: does an alias repeat itself?"
            self.problems = [Problem(self.file, line, column, "", text)]
            return None

    def _build(self, node: Any, path: Path, key: tuple[int, int]) -> Any:
        self.places[path] = Place(key, _spot(node))
        if len(self.places) > MAX_NODES or len(path) > MAX_DEPTH:
            raise _TooLargeError
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if node.tag not in _COLLECTIONS:
            return self._refuse(path, f"the tag {_short(node.tag)} is not allowed here: write plain YAML")
        if isinstance(node, yaml.SequenceNode):
            return [self._build(item, (*path, i), _spot(item)) for i, item in enumerate(node.value)]
        return self._mapping(node, path)

    def _mapping(self, node: Any, path: Path) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(path, "a key must be a name, here it is a list or a mapping: quote text that has braces",
                             _spot(key))  # fmt: skip
            elif key.value == "<<" and key.tag == _PLAIN:
                self._refuse(path, "merge keys (<<) are not supported: write the keys out", _spot(key))
            elif key.value in data:
                first = self.places[(*path, key.value)].key[0]
                text = f"the key {key.value!r} is written twice, first in line {first}: keep one"
                self._refuse((*path, key.value), text, _spot(key))
            else:
                data[key.value] = self._build(value, (*path, key.value), _spot(key))
        return data

    def _scalar(self, node: Any, path: Path) -> Any:
        text: str = node.value
        if node.tag == _TEXT:
            return text
        if node.tag != _PLAIN:
            return self._refuse(path, f"the tag {_short(node.tag)} is not allowed here: write plain YAML")
        if text in _WORDS:
            if _WORDS[text] is None and not (text and path[:1] == _NULLABLE):
                return self._refuse(path, "has no value: write one, or remove the key", self.places[path].key)
            return _WORDS[text]
        if _INT.fullmatch(text):
            return int(text) if len(text) <= 40 else text
        return float(text) if _FLOAT.fullmatch(text) else text

    def _refuse(self, path: Path, message: str, spot: tuple[int, int] | None = None) -> None:
        self.refused.add(path)
        line, column = spot or self.places[path].value
        crumb = Origin(self.file).problem(path, message).path
        self.problems.append(Problem(self.file, line, column, crumb, message))


def _spot(node: Any) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _unreadable(error: yaml.reader.ReaderError, text: str, file: str) -> Problem:
    character = text[error.position : error.position + 1]
    line = text.count("\n", 0, error.position) + 1
    column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
    return Problem(file, line, column, "", f"the character {character!r} is not allowed in YAML: remove it")


def _syntax(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    """A syntax error with the likeliest cause, judged by the line it was noticed in."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    message = f"not valid YAML ({error.problem or 'it ends too early'})"
    return Problem(file, line, column, "", message + _cause(written, error.problem or ""))


_CAUSES = (
    ("alias|anchor|alphabetic or numeric", 'text that starts with * or & must be quoted, e.g. count: "*"'),
    ("',' or", "text with commas, quotes or braces must be quoted inside {...} and [...]; or a bracket is not closed"),
    ("expected key|}", 'text with braces must be quoted, e.g. embed: "{title} {body}"; or the indentation is off'),
    ("mapping values", "text that has a colon must be quoted; otherwise look at the indentation of this line"),
    ("%|start any token", "text that starts with a sign such as % or @ must be quoted"),
    ("", "look at the indentation, and at brackets or quotes left open just before"),
)
"""Advice by what the parser says, for the mistakes people make."""


def _cause(line: str, problem: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent or ("start any token" in problem and "\t" in line):
        return ": indent with spaces, not with tabs"
    return ": " + next(advice for sign, advice in _CAUSES if re.search(sign, problem))
