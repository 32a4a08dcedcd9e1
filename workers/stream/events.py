"""An event as it comes: a line of JSON, read so that whatever is taken can be read again from the source's files."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from limner.language.models import Source

MOST_BYTES = 1_000_000  # of one event
MOST_KEYS = 1000  # of all events of a source: each is a column of its files
DEEPEST = 64  # objects and lists in one another
# Only a text with an escape, with so long a number or with many brackets can hold what `_check` refuses.
_ODD = re.compile(r"\\u|[0-9]{19}")
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_LEAST, _MOST = -(2**63), 2**64


class RefusedError(Exception):
    """The event cannot be taken; says why."""


@dataclass(frozen=True)
class Raw:
    """What came: the source it is for, and its bytes."""

    source: str
    body: bytes


@dataclass(frozen=True)
class Event:
    """An event that can be told apart: its `id` as text, its columns as the source's files name them."""

    id: str
    row: Mapping[str, Any]


@dataclass(frozen=True)
class Reader:
    """Reads events of one source; `keys` are the keys seen so far, by their lower case: they have one spelling each."""

    source: Source
    keys: dict[str, str]

    def read(self, body: bytes) -> Event:
        """The event. Raises RefusedError."""
        if not body.strip():
            raise RefusedError("is empty")
        if len(body) > MOST_BYTES:
            raise RefusedError(f"larger than {MOST_BYTES} bytes")
        row = _object(body)
        if "" in row:
            raise RefusedError("has a key without a name")
        assert self.source.stream is not None
        name = self.source.stream.id
        return Event(_identity(row.get(self.written(name)), name), row)

    def learn(self, event: Event) -> None:
        """Remember how its keys are spelled. Raises RefusedError where one was spelled otherwise before."""
        fresh: dict[str, str] = {}
        for key in event.row:
            lower = key.lower()
            known = self.keys.get(lower)
            if known is None:
                fresh[lower] = key
            elif known != key:
                raise RefusedError(f"has the key {key!r}, which is written {known!r}")
        if fresh and len(self.keys) + len(fresh) > MOST_KEYS:
            raise RefusedError(f"has keys that are new, and the source has {len(self.keys)} of {MOST_KEYS} already")
        self.keys.update(fresh)

    def line(self, event: Event, received: str) -> str:
        """The line that goes into the source's files: with the instant at which the event became known."""
        assert self.source.created_timestamp is not None
        row = {**event.row, self.written(self.source.created_timestamp): received}
        return _WRITER.encode(row)

    def written(self, name: str) -> str:
        """The name of a column in the files."""
        return self.source.rename.get(name, name)


def _object(body: bytes) -> dict[str, Any]:
    try:
        text = body.decode()
        row = _READER.decode(text)
    except UnicodeDecodeError as error:
        raise RefusedError(f"not UTF-8 (byte {error.start})") from error
    except RecursionError as error:
        raise RefusedError(f"nested more than {DEEPEST} deep") from error
    except ValueError as error:
        raise RefusedError(f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise RefusedError(f"expected an object, found {type(row).__name__}")
    if _ODD.search(text) is not None or text.count("[") + text.count("{") > DEEPEST:
        _check(row)
    return row


def _check(value: Any, depth: int = 1) -> None:
    """What JSON may say, and readers of JSON Lines cannot hold. An object of scalars is of depth 1."""
    if depth > DEEPEST and isinstance(value, dict | list):
        raise RefusedError(f"nested more than {DEEPEST} deep")
    match value:
        case str():
            if _NO_TEXT.search(value) is not None:
                raise RefusedError("holds a character that no text can have")
        case int():
            if not _LEAST <= value < _MOST:
                raise RefusedError("holds a number of more than 64 bits")
        case dict():
            _all((*value, *value.values()), depth)
        case list():
            _all(value, depth)


def _all(values: Iterable[Any], depth: int) -> None:
    for each in values:
        _check(each, depth + 1)


def _identity(value: Any, name: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value:
        return value
    raise RefusedError(f"has no {name}" if value is None or value == "" else f"{name} is neither a text nor a number")


def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys come once, whatever their case. ValueError else."""
    pairs = list(pairs)
    row = dict(pairs)
    if len({key.lower() for key in row}) < len(pairs):
        lower = [key.lower() for key, _ in pairs]
        key = next(key for place, (key, _) in enumerate(pairs) if key.lower() in lower[:place])
        raise ValueError(f"the key {key!r} comes twice")
    return row


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is no number")


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is larger than any number")
    return value


_READER = json.JSONDecoder(object_pairs_hook=once, parse_constant=_constant, parse_float=_number)
_WRITER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
