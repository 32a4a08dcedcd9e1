"""Text templates: `"{department} {brand}"` names columns, and nothing else."""

import re
from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

_PART = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")


class Template:
    """A text with columns in braces; `{{` and `}}` stand for braces. No format specs, attributes or calls."""

    __slots__ = ("columns", "parts", "text")

    def __init__(self, text: str) -> None:
        """Parse `text` into literal parts and columns; ValueError says what is wrong."""
        if not isinstance(text, str):
            raise ValueError(f'{text!r} is not a text template: write columns in braces, e.g. "{{title}} {{body}}"')
        parts: list[tuple[str, str]] = []
        end = 0
        for match in _PART.finditer(text):
            parts.append(("literal", text[end : match.start()]))
            end = match.end()
            if match[1]:
                parts.append(("column", match[1]))
            elif match[0] in ("{{", "}}"):
                parts.append(("literal", match[0][0]))
            else:
                raise ValueError(f"{text!r}: a lone {match[0]!r}; a column is written {{name}}, a brace {match[0] * 2}")
        parts.append(("literal", text[end:]))
        self.text = text
        self.parts = tuple((kind, value) for kind, value in parts if value)
        self.columns = tuple(dict.fromkeys(value for kind, value in self.parts if kind == "column"))
        if not self.columns:
            raise ValueError(f"{text!r} names no column: write columns in braces, e.g. {{title}}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.parts == self.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __repr__(self) -> str:
        return f"Template({self.text!r})"

    @classmethod
    def _validate(cls, value: Any) -> Self:
        return value if isinstance(value, cls) else cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(lambda t: t.text)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "examples": ["{title} {body}"]}
