"""Durations and instants as the specs write them: exact integers of microseconds, UTC."""

import re
from datetime import UTC, datetime
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

MICROS = {
    "s": 1_000_000,
    "m": 60_000_000,
    "h": 3_600_000_000,
    "d": 86_400_000_000,
    "w": 604_800_000_000,
}
_DURATION = re.compile(r"([1-9][0-9]{0,6})([smhdw])")


class Duration:
    """A positive length of time such as `30m`, `7d` or `2w`; days are 24 hours of UTC.

    Equal durations compare equal whatever their text (`7d` and `168h`); `text` names features.
    """

    __slots__ = ("micros", "text")
    micros: int
    text: str

    def __init__(self, text: str) -> None:
        """Parse `text`; ValueError says what a duration looks like."""
        match = _DURATION.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise ValueError(f"{text!r} is not a duration: write a whole number and a unit, e.g. 30m, 12h, 7d or 2w")
        self.text = text
        self.micros = int(match[1]) * MICROS[match[2]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Duration) and other.micros == self.micros

    def __hash__(self) -> int:
        return hash(self.micros)

    def __repr__(self) -> str:
        return f"Duration({self.text!r})"

    @classmethod
    def _validate(cls, value: Any) -> Self:
        return value if isinstance(value, cls) else cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Accept the text; serialize to microseconds, so that a fingerprint does not see spelling."""
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(lambda d: d.micros)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{_DURATION.pattern}$", "examples": ["7d", "12h"]}


def parse_instant(value: Any) -> int:
    """Microseconds since 1970 UTC of an ISO 8601 instant; one without an offset is read as UTC."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{value!r} is not an instant: write e.g. 2026-01-31T00:00:00Z") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return micros_of(moment)


def micros_of(moment: datetime) -> int:
    """Exact microseconds since 1970 UTC of an aware datetime (no float on the way)."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
