"""Examples in a view: a few rows, an instant, and what the view's features must be worth then."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from limner.language.scalars import Filled, Instant, Number, Text, found


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise ValueError(f"found {found(value)}, expected a value of a column: text, a number, true, false or null")


def _expected(value: Any) -> Any:
    match value:
        case list() | tuple():
            return tuple(_cell(item) for item in value)
        case Mapping():
            return {str(key): _cell(item) for key, item in value.items()}
    return _cell(value)


Cell = Annotated[
    str | int | float | bool | None, BeforeValidator(_cell), WithJsonSchema({"type": ["string", "number", "boolean"]})
]
Expected = Annotated[Any, BeforeValidator(_expected), WithJsonSchema({})]
ExampleRows = tuple[dict[Filled, Cell], ...]


class Example(BaseModel):
    """Rows by source (columns that are not written are null), an instant, and values expected of one entity then.

    `tolerance`: how far a number may be from what is expected; 0, the default, compares for equality.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: Text = ""
    rows: Annotated[dict[Filled, ExampleRows], Field(min_length=1)]
    at: Instant
    key: dict[Filled, int | str] | None = None
    expect: Annotated[dict[Filled, Expected], Field(min_length=1)]
    tolerance: Annotated[Number, Field(ge=0)] = 0
