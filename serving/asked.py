"""What requests to the lean endpoints say, read strictly: what is not understood is refused."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from limner.language.suggest import did_you_mean
from limner.serving.messages import HttpError
from limner.serving.settings import Limits
from limner.workers.online.selection import Selection

_INTEGER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_INT64 = 1 << 63
Keys = Sequence[Any]


@dataclass(frozen=True)
class ProfilesAsked:
    """`POST /profiles`: rows of a profile or view. `request` as in `limner.Store.read`."""

    name: str
    keys: Keys
    features: list[str] | None = None
    request: Any = None

    @classmethod
    def of(cls, body: Mapping[str, Any], limits: Limits) -> "ProfilesAsked":
        """HttpError 422 for a body of another shape, 413 for too many keys."""
        _only(body, ("profile", "keys", "features", "request"))
        name, keys = _text(body, "profile"), body.get("keys")
        if not isinstance(keys, list) or not keys:
            raise HttpError(422, "`keys` is a list of keys, one or more")
        if len(keys) > limits.keys:
            raise HttpError(413, f"{len(keys):,} keys: ask for at most {limits.keys:,} at a time")
        return cls(name, keys, _features(body.get("features")), _request(body.get("request"), len(keys)))


@dataclass(frozen=True)
class SimilarAsked:
    """`POST /similar`: the `k` entities nearest to a key's vector, or to `vector`."""

    view: str
    feature: str
    k: int
    key: Any = None
    vector: list[float] | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any], limits: Limits) -> "SimilarAsked":
        """HttpError 422 for a body of another shape."""
        _only(body, ("view", "feature", "k", "key", "vector"))
        view, feature, k = _text(body, "view"), _text(body, "feature"), body.get("k", 5)
        if type(k) is not int or not 1 <= k <= limits.neighbours:
            raise HttpError(422, f"`k` is a whole number from 1 to {limits.neighbours}")
        key, vector = body.get("key"), body.get("vector")
        if ("key" in body) == ("vector" in body):
            raise HttpError(422, "give either `key` or `vector`: whose vector, or which, to compare with")
        if "vector" in body and not (isinstance(vector, list) and all(type(n) in (int, float) for n in vector)):
            raise HttpError(422, "`vector` is a list of numbers")
        return cls(view, feature, k, key, vector)


def keys_of(selection: Selection, keys: Keys) -> Keys:
    """Keys in the types of their entity, each a value, or a mapping from join key to value. HttpError 422 for others.

    More strict than `limner.Store`, which takes digits for an integer as a command line gives them.
    """
    kinds = _kinds(selection)
    if len(kinds) == 1:
        ((name, kind),) = kinds.items()
        if set(map(type, keys)) == {int if kind == "int" else str}:
            if kind == "int" and not -_INT64 <= min(keys) <= max(keys) < _INT64:
                raise HttpError(422, f"join key {name!r} is a 64-bit integer")
            return keys
    return [_row(key, kinds) for key in keys]


def key_of_path(selection: Selection, text: str) -> Any:
    """A key as the path has it. HttpError 422 where the entity has several, or this is none."""
    kinds = _kinds(selection)
    if len(kinds) > 1:
        raise HttpError(422, f"{selection.name!r} is keyed by {', '.join(kinds)}: ask with POST /profiles")
    ((name, kind),) = kinds.items()
    if kind == "string":
        return text
    if not _INTEGER.fullmatch(text) or not -_INT64 <= int(text) < _INT64:
        raise HttpError(422, f"join key {name!r} is an integer, not {text!r}")
    return int(text)


def _kinds(selection: Selection) -> dict[str, str]:
    return {
        name: kind
        for view in selection.stored
        if view in selection.served
        for name, kind in selection.served[view].schema.keys
    }


def _row(key: Any, kinds: Mapping[str, str]) -> dict[str, Any]:
    if isinstance(key, list):
        if len(key) != len(kinds):
            raise HttpError(422, f"a key is the values of {', '.join(kinds)}: give {len(kinds)}, not {len(key)}")
        key = dict(zip(kinds, key, strict=True))
    elif not isinstance(key, dict):
        if len(kinds) > 1:
            raise HttpError(422, f"a key names {', '.join(kinds)}: give an object, or their values in this order")
        key = dict.fromkeys(kinds, key)
    if key.keys() != kinds.keys():
        raise HttpError(422, f"a key names {', '.join(kinds)}, not {', '.join(map(str, key)) or 'nothing'}")
    for name, kind in kinds.items():
        value = key[name]
        if kind == "int" and (type(value) is not int or not -_INT64 <= value < _INT64):
            raise HttpError(422, f"join key {name!r} is an integer, not {value!r}")
        if kind == "string" and not isinstance(value, str):
            raise HttpError(422, f"join key {name!r} is a string, not {value!r}")
    return dict(key)


def _only(body: Mapping[str, Any], known: Sequence[str]) -> None:
    for name in body:
        if name not in known:
            raise HttpError(422, f"unknown field {name!r}: {did_you_mean(name, known)}")


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise HttpError(422, f"`{name}` is a text, and has to be given")
    return value


def _features(value: Any) -> list[str] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise HttpError(422, "`features` is a list of names, or is left out: then it is all of them")
    if len(set(value)) < len(value):
        raise HttpError(422, "`features` names a feature twice")
    return value


def _request(value: Any, rows: int) -> Any:
    if value is None or isinstance(value, dict):
        return value
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise HttpError(422, "`request` is an object for all keys, or a list with an object a key")
    if len(value) != rows:
        raise HttpError(422, f"{len(value)} requests for {rows} keys: give one for all of them, or one a key")
    return value
