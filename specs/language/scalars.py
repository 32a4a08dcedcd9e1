"""The small values of the language: each type says in plain words what it expects.

Nothing is converted silently: `"7"` is not a number, `1` is not true, and a number must be finite.
"""

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PlainValidator, ValidationInfo, WithJsonSchema

from limner.language.durations import Duration, parse_instant

_INT64 = 2**63
_NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")


def found(value: Any) -> str:
    """How an error shows what was written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return f"a mapping with {', '.join(map(str, list(value)[:4]))}" if value else "an empty mapping"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _expect(what: str, accept: Callable[[Any], bool]) -> BeforeValidator:
    def check(value: Any) -> Any:
        if not accept(value):
            bare = isinstance(value, str) and (value in ("true", "false") or _NUMBER.fullmatch(value) is not None)
            quotes = " without quotes" if bare else ""
            raise ValueError(f"found {found(value)}, expected {what}{quotes}")
        return value

    return BeforeValidator(check)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -_INT64 <= value < _INT64


def _is_number(value: Any) -> bool:
    return _is_int(value) or (isinstance(value, float) and math.isfinite(value))


Bool = Annotated[bool, _expect("true or false", lambda v: isinstance(v, bool))]
Int = Annotated[int, _expect("a whole number", _is_int)]
Number = Annotated[int | float, _expect("a finite number", _is_number)]
Text = Annotated[str, _expect("text", lambda v: isinstance(v, str))]
Filled = Annotated[str, _expect("text that is not empty", lambda v: isinstance(v, str) and bool(v.strip()))]
Scalar = Annotated[
    str | int | float | bool,
    _expect("text, a finite number, true or false", lambda v: isinstance(v, str | bool) or _is_number(v)),
]


def _every(value: Any) -> Any:
    if isinstance(value, Duration) or value == "event":
        return value
    try:
        return Duration(value)
    except ValueError:
        raise ValueError(f"found {found(value)}, expected a duration such as 1d or 1h, or event") from None


Every = Annotated[
    Literal["event"] | Duration,
    PlainValidator(_every),
    WithJsonSchema(
        {
            "anyOf": [
                {"const": "event"},
                {"type": "string", "pattern": "^[1-9][0-9]{0,6}[smhdw]$", "examples": ["1d"]},
            ]
        }
    ),
]


def _instant(value: Any, info: ValidationInfo) -> int:
    """A number is microseconds as Limner writes them; what people write is validated with a context, and has none."""
    if info.context is not None and not isinstance(value, str):
        raise ValueError(f"found {found(value)}, expected an instant such as 2026-01-31T00:00:00Z")
    return parse_instant(value)


Instant = Annotated[
    int,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "examples": ["2026-01-31T00:00:00Z"]}),
]


def by_shape(value: Any) -> str:
    """The branch of a union a value belongs to, by its shape alone."""
    if isinstance(value, dict) or hasattr(value, "model_fields"):
        return "<mapping>"
    return "<list>" if isinstance(value, (list, tuple)) else "<one>"
