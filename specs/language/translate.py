"""Pydantic's findings in plain language, at the key or value they are about."""

from collections.abc import Iterable
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from limner.language.features import KINDS as FEATURES
from limner.language.features.fusion import PART_NAMES, PARTS
from limner.language.keys import keys
from limner.language.models import RequestView
from limner.language.places import Path
from limner.language.request_features import REQUEST_KINDS
from limner.language.scalars import found
from limner.language.suggest import did_you_mean, listed, nearest

Finding = tuple[Path, str, bool]
"""(path, message, whether it is about the key rather than the value)."""


def findings(errors: Iterable[ErrorDetails], data: Any, model: type[BaseModel]) -> list[Finding]:
    """One finding an error; `data` is the document that `model` refused."""
    # A list with an item that is refused is called too short by pydantic, as that item does not count.
    return [
        _finding(error, data, model)
        for error in errors
        if error["type"] != "too_short" or len(error["input"]) < error["ctx"]["min_length"]
    ]


def _finding(error: ErrorDetails, data: Any, model: type[BaseModel]) -> Finding:  # noqa: PLR0911 - one a kind of error
    about_key = error["loc"][-1:] == ("[key]",)
    path = tuple(part for part in error["loc"] if not _is_tag(part))
    value = error["input"]
    match error["type"]:
        case "missing":
            return path[:-1], _missing(path[:-1], str(path[-1]), value, model), False
        case "extra_forbidden":
            return path, _unknown(path, data, _keys(model, error["loc"][:-1]), model), True
        case "union_tag_not_found":
            return path, _no_part(value) if path[-2:-1] == ("vector",) else _no_kind(value, model), False
        case "value_error":
            return path, str(error["ctx"]["error"]), about_key
        case "string_pattern_mismatch":
            return path, _pattern(str(value), path), about_key
        case "literal_error":
            return path, f"found {found(value)}, {_literal(value, error)}", about_key
        case "too_short":
            least = error["ctx"]["min_length"]
            return path, f"found {found(value)}, expected at least {'one' if least == 1 else least}", about_key
        case "too_long":
            return path, f"found {found(value)}, expected {error['ctx']['max_length']} at most", about_key
        case "greater_than":
            return path, f"found {found(value)}, expected more than {error['ctx']['gt']}", about_key
        case "greater_than_equal":
            return path, f"found {found(value)}, expected {error['ctx']['ge']} or more", about_key
        case "less_than_equal":
            return path, f"found {found(value)}, expected {error['ctx']['le']} or less", about_key
    return (
        path,
        f"found {found(value)}, expected {_EXPECTED.get(error['type'], error['msg'].lower())}",
        about_key,
    )


_EXPECTED = {
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of names to values",
    "tuple_type": "a list",
    "string_type": "text",
}


def _is_tag(part: str | int) -> bool:
    return isinstance(part, str) and (part == "[key]" or (part.startswith("<") and part.endswith(">")))


def _kinds(model: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The kinds of features that a document of this model may have, by the key that names them."""
    return {kind.kind: kind for kind in (REQUEST_KINDS if model is RequestView else FEATURES)}


def _missing(path: Path, key: str, value: Any, model: type[BaseModel]) -> str:
    feature = path[-2:-1] == ("features",)
    kind = next((kind for kind in _kinds(model) if feature and isinstance(value, dict) and kind in value), None)
    examples = {
        "where": "say which part, e.g. where: channel = 'web'",
        "q": "say which part of the values lies below, e.g. q: 0.9",
        "of": "say of which column, e.g. of: category",
        "encoder": "name an encoder document, e.g. encoder: minilm",
        "every": "say when it has values, e.g. every: 1d",
        "entity": "name the entity it describes",
        "source": "name the source it reads",
        "features": "list at least one feature",
        "model": "say which model, e.g. model: path/to/folder",
        "fit": "say as of which instant it learns, e.g. fit: 2026-01-31T00:00:00Z",
        "at": "say as of which instant, e.g. at: 2026-01-31T00:00:00Z",
        "expect": "say what features are worth then, e.g. expect: {orders: 3}",
        "rows": "give a few rows by source, e.g. rows: {purchases: [{user_id: 1}]}",
        "label": "say what is to be foretold, e.g. label: {count: '*', from: orders, next: 30d, is: '= 0'}",
        "next": "say how far the label looks ahead, e.g. next: 30d",
        "is": "say what the number must be, e.g. is: '> 0'",
        "from": "name the source whose rows are asked, e.g. from: orders",
        "cut_off": "say up to when the first version may know, e.g. cut_off: 2026-01-31T00:00:00Z",
        "join_keys": "e.g. join_keys: {user_id: int}",
    }
    if kind is not None:
        examples["model"] = "name a model document, e.g. model: sentiment"
    if model is RequestView:
        examples["at"] = "say at which instant, e.g. at: now, a field of the request"
        examples["with"] = "say what the vector is compared with, e.g. with: query, a field of the request"
    advice = f": {examples[key]}" if key in examples else ""
    return f"{kind + ' ' if kind else ''}needs the key {key!r}{advice}"


def _unknown(path: Path, data: Any, valid: list[str], model: type[BaseModel]) -> str:
    key, parent = str(path[-1]), _at(data, path[:-1])
    kinds = [kind for kind in _kinds(model) if isinstance(parent, dict) and kind in parent]
    feature = len(path) > 1 and path[-3:-2] == ("features",)
    if feature and key in kinds and len(kinds) > 1:
        return f"a feature has one kind, here are {listed(kinds, 'and')}: write two features"
    if feature and kinds == ["latest"] and key == "over":
        return "latest is the newest value and has no window: remove over, or use last with a window"
    return f"unknown key {key!r}: {did_you_mean(key, [name for name in valid if name not in parent])}"


def _no_kind(value: Any, model: type[BaseModel]) -> str:
    if not isinstance(value, dict):
        example = "{age: view.feature, at: now}" if model is RequestView else "{sum: amount, over: 7d}"
        return f"found {found(value)}, expected a feature such as {example}"
    options = ("where", "over", "default", "description", "of", "encoder", "pool")
    kinds = list(_kinds(model))
    for key in value:
        close = nearest(key, kinds, alike=0.75)
        if key not in options and close:
            return f"{key!r} is no feature kind: did you mean {close!r}?"
    return f"names no feature kind: expected one of the keys {listed(kinds)}"


def _no_part(value: Any) -> str:
    example = "a part such as {scalars: [spend, orders]}, {categories: channel, values: [web]} or {embedding: taste}"
    close = next((near for key in value if (near := nearest(key, PART_NAMES))), None) if isinstance(value, dict) else ""
    return f"found {found(value)}, expected {example}" + (f"; did you mean {close!r}?" if close else "")


def _pattern(value: str, path: Path) -> str:
    if path[-1] == "at":
        return f'found {value!r}, expected a time of day in UTC between "00:00" and "23:59"'
    return (f"{value!r} is not a name: use lower case letters, digits and underscores, "
            "a letter first, 63 characters at most")  # fmt: skip


def _literal(value: Any, error: ErrorDetails) -> str:
    choices = [choice.strip("'") for choice in str(error["ctx"]["expected"]).replace(" or ", ", ").split(", ")]
    close = nearest(value, choices) if isinstance(value, str) else None
    return f"expected {listed(choices)}" + (f"; did you mean {close!r}?" if close else "")


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data


def _keys(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys of the model at `loc`, found by walking the annotations."""
    here: Any = model
    kinds = _kinds(model)
    for part in loc:
        if isinstance(here, type) and issubclass(here, BaseModel) and part in keys(here):
            here = here.model_fields[keys(here)[str(part)]].annotation
        elif isinstance(part, str) and part.strip("<>") in kinds and _is_tag(part):
            here = kinds[part.strip("<>")]
        elif isinstance(part, str) and part.strip("<>") in PART_NAMES and _is_tag(part):
            here = PARTS[PART_NAMES.index(part.strip("<>"))]
        if not (isinstance(here, type) and issubclass(here, BaseModel)):
            here = _only_model(here) or here
    return list(keys(here)) if isinstance(here, type) and issubclass(here, BaseModel) else []


def _only_model(annotation: Any) -> type[BaseModel] | None:
    """The first model inside an annotation such as `dict[str, Range]` or `Word | Missing`."""
    stack: list[Any] = [annotation]
    while stack:
        here = stack.pop()
        if isinstance(here, type) and issubclass(here, BaseModel):
            return here
        stack.extend(get_args(here))
    return None
