"""Models as plain JSON data, in two spellings: canonical (for identity) and as written (to be read again)."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from limner.language.durations import Duration
from limner.language.expressions import Expression
from limner.language.features import Embed
from limner.language.template import Template


def canonical(value: Any, *, without: frozenset[str] = frozenset()) -> Any:  # noqa: PLR0911 - one a type
    """Equal data for equal meaning: defaults filled in, durations in microseconds, conditions in one spelling.

    Fields named in `without` are left out of every model.
    """
    match value:
        case BaseModel():
            fields = {name: getattr(value, name) for name in type(value).model_fields if name not in without}
            if isinstance(value, Embed):
                fields["pool"] = value.pooling
            return {name: canonical(item, without=without) for name, item in fields.items()}
        case Duration():
            return value.micros
        case Expression():
            return value.sql
        case Template():
            return value.parts
        case Mapping():
            return {key: canonical(item, without=without) for key, item in value.items()}
        case list() | tuple():
            return [canonical(item, without=without) for item in value]
    return value


def written(value: Any) -> Any:
    """Data that the language reads back as an equal model: only what was set, in the author's spelling."""
    match value:
        case BaseModel():
            names = [name for name in type(value).model_fields if name in value.model_fields_set]
            return {name: written(getattr(value, name)) for name in names if getattr(value, name) is not None}
        case Duration() | Expression() | Template():
            return value.text
        case Mapping():
            return {key: written(item) for key, item in value.items()}
        case list() | tuple():
            return [written(item) for item in value]
    return value
