"""Expressions over columns: a closed set of operators, so a spec can never read a file or run code."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import core_schema

from limner.language.rendering import sql
from limner.language.suggest import a
from limner.language.syntax import Call, Column, Node, parse

if TYPE_CHECKING:
    from limner.language.models import LogicalType


class Expression:
    """`spend_30d / orders_30d`, read once: of any type, over features; `view.feature` is one of another view.

    `columns` are the names it reads, sorted. `sql` is canonical DuckDB, by which expressions compare equal;
    `sql_over` is what to run once the columns' types are known.
    """

    __slots__ = ("columns", "sql", "text", "tree")
    columns: tuple[str, ...]
    sql: str
    text: str
    tree: Node

    noun: ClassVar[str] = "expression"
    example: ClassVar[str] = "spend_30d / orders_30d"
    dotted: ClassVar[bool] = True

    def __init__(self, text: str) -> None:
        """Parse `text`; ValueError names the first thing that is not allowed."""
        if not isinstance(text, str):
            raise ValueError(f"found {text!r}, expected {a(self.noun)} such as {self.example}")
        self.text = text
        self.tree = parse(text, self.noun, dotted=self.dotted)
        self.columns = tuple(sorted(set(columns_of(self.tree))))
        self.sql = sql(self.tree)

    def sql_over(self, columns: "Mapping[str, LogicalType]") -> str:
        """DuckDB SQL over `columns`, integers as BIGINT and timestamps as TIMESTAMPTZ or naive UTC.

        Texts compared with timestamps are put as UTC instants. ValueError where the types clash.
        """
        from limner.language.condition_types import typed

        return sql(typed(self.tree, columns)[0])

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.sql == self.sql

    def __hash__(self) -> int:
        return hash(self.sql)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    @classmethod
    def _validate(cls, value: Any) -> Self:
        return value if isinstance(value, cls) else cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        """Accept the text; serialize canonically, so that a fingerprint does not see spelling."""
        return core_schema.no_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(lambda c: c.sql)
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "examples": [cls.example]}


class Condition(Expression):
    """`quantity > 0 and channel in ('web', 'app')`: an expression over columns of rows that is true or false.

    Null counts as false.
    """

    __slots__ = ()
    noun = "condition"
    example = "quantity > 0 and channel = 'web'"
    dotted = False

    def sql_over(self, columns: "Mapping[str, LogicalType]") -> str:
        """As for any expression; ValueError also where it is not true or false."""
        from limner.language.condition_types import resolve

        return sql(resolve(self.tree, columns))


def columns_of(node: Node) -> list[str]:
    """The columns a tree reads, in the order of reading."""
    match node:
        case Column(name):
            return [name]
        case Call(_, args):
            return [name for arg in args for name in columns_of(arg)]
    return []
