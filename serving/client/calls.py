"""What a client asks and what it makes of the answer: the same for `Client` and `AsyncClient`, no socket in it."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import orjson

from limner.language.errors import LimnerError, UnavailableError, UnknownNameError
from limner.serving.client.arrow_form import MEDIA, UNKNOWN

Key = Any  # a value, a sequence of values in the entity's order, or a mapping join key -> value
Keys = Iterable[Key] | Mapping[str, Iterable[Any]]
Request = Mapping[str, Any] | Sequence[Mapping[str, Any]]
Array = np.ndarray[Any, np.dtype[Any]]
T = TypeVar("T")
_JSON = "application/json"


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and what makes a value of the body of its answer."""

    path: str
    body: bytes
    accept: str
    decode: Callable[[bytes], T]


@dataclass(frozen=True)
class Neighbour:
    """An entity, by join key, and the cosine between its vector and the one asked about."""

    key: dict[str, Any]
    similarity: float


def table(name: str, keys: Keys, features: Iterable[str] | None, request: Request | None) -> "Call[Any]":
    """An Arrow table, as `limner.Store.read` gives it."""
    return _profiles(name, keys, features, request, lambda body: _table(body).replace_schema_metadata(None))


def dicts(
    name: str, keys: Keys, features: Iterable[str] | None, request: Request | None
) -> "Call[list[dict[str, Any] | None]]":
    """A dict a key, as `limner.Store.profile` gives it; None for an entity that nothing knows."""
    return _profiles(name, keys, features, request, lambda body: _dicts(_table(body)))


def arrays(name: str, keys: Keys, features: Iterable[str] | None) -> "Call[dict[str, Array]]":
    """NumPy arrays by column, as `limner.Store.arrays` gives them: a vector is float32 [keys, dim]."""
    return _profiles(name, keys, features, None, lambda body: _arrays(_table(body)))


def similar(view: str, feature: str, key: Key, vector: Sequence[float] | None, k: int) -> "Call[list[Neighbour]]":
    """The nearest entities."""
    body: dict[str, Any] = {"view": view, "feature": feature, "k": k}
    if vector is None:
        body["key"] = _key(key)
    else:
        body["vector"] = np.asarray(vector, dtype=np.float64).tolist()

    def decode(answer: bytes) -> list[Neighbour]:
        return [Neighbour(each["key"], each["similarity"]) for each in orjson.loads(answer)["neighbours"]]

    return Call("/similar", _dumped(body), _JSON, decode)


def online_features(
    features: Sequence[str] | str, entities: Mapping[str, Sequence[Any]], full_feature_names: bool
) -> "Call[dict[str, list[Any]]]":
    """Feast's own request; a list a name, as `to_dict` of Feast's answer."""
    asked = {"feature_service": features} if isinstance(features, str) else {"features": list(features)}
    columns = {name: _plain_list(column) for name, column in entities.items()}
    body = asked | {"entities": columns, "full_feature_names": full_feature_names}

    def decode(answer: bytes) -> dict[str, list[Any]]:
        told = orjson.loads(answer)
        names, results = told["metadata"]["feature_names"], told["results"]
        return {name: each["values"] for name, each in zip(names, results, strict=True)}

    return Call("/get-online-features", _dumped(body), _JSON, decode)


def failure(status: int, body: bytes) -> LimnerError:
    """The error that an answer other than 200 stands for."""
    try:
        told = orjson.loads(body)
    except ValueError:
        told = body.decode("utf-8", "replace")[:500]
    text = str(told.get("error", told)) if isinstance(told, dict) else str(told)
    if status == 404:
        return UnknownNameError(text)
    if status in {408, 502, 503, 504}:
        return UnavailableError(f"the server answers {status}: {text}")
    return LimnerError(text if status < 500 else f"the server answers {status}: {text}")


def _profiles(
    name: str,
    keys: Keys,
    features: Iterable[str] | None,
    request: Request | None,
    decode: Callable[[bytes], T],
) -> Call[T]:
    body: dict[str, Any] = {"profile": name, "keys": _rows(keys)}
    if features is not None:
        body["features"] = list(features)
    if request is not None:
        body["request"] = request if isinstance(request, Mapping) else list(request)
    return Call("/profiles", _dumped(body), MEDIA, decode)


def _rows(keys: Keys) -> list[Any]:
    if isinstance(keys, Mapping):
        return [dict(zip(keys, row, strict=True)) for row in zip(*map(_plain_list, keys.values()), strict=True)]
    return [_key(key) for key in _plain_list(keys)]


def _plain_list(values: Iterable[Any]) -> list[Any]:
    found: list[Any] = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return found


def _key(key: Key) -> Any:
    return list(key) if isinstance(key, tuple) else key.item() if isinstance(key, np.generic) else key


def _dumped(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        raise LimnerError(f"this cannot be asked over HTTP: {error}") from None


def _table(body: bytes) -> Any:
    import pyarrow as pa

    return pa.ipc.open_stream(body).read_all()


def _dicts(found: Any) -> list[dict[str, Any] | None]:
    import pyarrow as pa

    unknown = set(orjson.loads((found.schema.metadata or {}).get(UNKNOWN, b"[]")))
    if "event_timestamp" in found.column_names[-1:]:
        found = found.drop_columns("event_timestamp")
    columns = []
    for field, column in zip(found.schema, found.columns, strict=True):
        values = column.to_pylist()
        columns.append([v and dict(v) for v in values] if pa.types.is_map(field.type) else values)
    names, rows = found.column_names, zip(*columns, strict=True)
    return [None if n in unknown else dict(zip(names, row, strict=True)) for n, row in enumerate(rows)]


def _arrays(found: Any) -> dict[str, Array]:
    return {
        name: _array(column.combine_chunks()) for name, column in zip(found.column_names, found.columns, strict=True)
    }


def _array(column: Any) -> Array:
    import pyarrow as pa

    kind = column.type
    if pa.types.is_list(kind) and pa.types.is_float32(kind.value_type):
        known = column.is_valid().to_numpy(zero_copy_only=False)
        flat = column.drop_null().flatten().to_numpy(zero_copy_only=False)
        dim = len(flat) // max(1, int(known.sum()))
        vectors = np.full((len(column), dim), np.nan, dtype=np.float32)
        vectors[known] = flat.reshape(-1, dim) if dim else 0
        return vectors
    made: Array = column.to_numpy(zero_copy_only=False)
    return made


def key_of_environment() -> str | None:
    """The API key of LIMNER_API_KEY."""
    return os.environ.get("LIMNER_API_KEY") or None
