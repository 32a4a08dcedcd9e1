"""Conditions over columns, parsed with sqlglot into a closed set of operators: a spec never reads a file or runs code."""

from typing import Any, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema


class Condition:
    """`quantity > 0 and channel in ('web', 'app')`: `sql` is canonical DuckDB with quoted columns, `columns` what it reads."""

    __slots__ = ("columns", "sql", "text")

    def __init__(self, text: str) -> None:
        """Parse `text`; ValueError names the first thing that is not allowed."""
        import sqlglot
        from sqlglot import exp

        tree = sqlglot.parse_one(text, dialect="duckdb")  # TODO: whitelist
        self.text = text
        self.columns = tuple(sorted({c.name for c in tree.find_all(exp.Column)}))
        self.sql = tree.sql(dialect="duckdb", identify=True)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Condition) and other.sql == self.sql

    def __hash__(self) -> int:
        return hash(self.sql)

    def __repr__(self) -> str:
        return f"Condition({self.text!r})"

    @classmethod
    def _validate(cls, value: Any) -> Self:
        return value if isinstance(value, cls) else cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(lambda c: c.sql)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "examples": ["quantity > 0 and channel = 'web'"]}
