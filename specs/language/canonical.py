"""Models as plain JSON data, in two spellings: canonical (for identity) and as written (to be read again)."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from limner.language.durations import Duration
from limner.language.expressions import Expression
from limner.language.features import Embed, Scored, TextStatistic
from limner.language.keys import keys
from limner.language.template import Template
from limner.language.windows import Period


def canonical(value: Any, *, without: frozenset[str] = frozenset()) -> Any:  # noqa: PLR0911 - one a type
    """Equal data for equal meaning: defaults filled in, durations in microseconds, conditions in one spelling.

    Keys named in `without` are left out of every model; so are those that say nothing (null), which lets the language
    gain keys without giving every view a new identity.
    """
    match value:
        case BaseModel():
            fields = {key: getattr(value, name) for key, name in keys(type(value)).items() if key not in without}
            if isinstance(value, Embed | Scored):
                fields["pool"] = value.pooling
            if isinstance(value, Embed | Scored | TextStatistic):
                fields["languages"] = sorted(value.languages) or None
            return {key: canonical(item, without=without) for key, item in fields.items() if item is not None}
        case Duration():
            return value.micros
        case Expression():
            return value.sql
        case Period():
            return value.text
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
            set_ = {key: name for key, name in keys(type(value)).items() if name in value.model_fields_set}
            return {
                key: written(getattr(value, name)) for key, name in set_.items() if getattr(value, name) is not None
            }
        case Duration() | Expression() | Template() | Period():
            return value.text
        case Mapping():
            return {key: written(item) for key, item in value.items()}
        case list() | tuple():
            return [written(item) for item in value]
    return value
