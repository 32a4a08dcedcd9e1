"""A source's `where` as a condition for PostgreSQL, so that rows that cannot meet it never cross the wire.

Only what both sides surely mean alike is sent; it lets in all rows that the condition lets in, maybe more: the cleaning
decides. Sent are `and`, `or` and `not` over comparisons, `in` and `between` of a column with constants: int columns
with whole numbers, float8 columns with numbers (PostgreSQL's NaN is the greatest number, here it is null: never true),
text columns for `=`, `<>` and `in`, timestamptz columns, bool columns; `is null` of ints, texts and bools.
"""

from collections.abc import Mapping
from typing import Any

from limner.language.condition_types import resolve
from limner.language.durations import parse_instant
from limner.language.models import LogicalType, Source
from limner.language.syntax import Call, Column, Literal, Node
from limner.workers.sources.database import logical_of
from limner.workers.sources.instants import datetime_of
from limner.workers.sources.meeting import conjuncts
from limner.workers.sources.naming import written

_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_MIRRORED = {"=": "=", "<>": "<>", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


class _UnsureError(Exception):
    """Both sides may not mean the same."""


def pushed(source: Source, table: Any, types: Mapping[str, LogicalType]) -> Any:
    """What PostgreSQL can be asked of `source.where`; None where that is nothing. `types`: as cleaned, by name."""
    import sqlalchemy as sa

    if source.where is None:
        return None
    sent = []
    for each in conjuncts(resolve(source.where.tree, types)):
        try:
            sent.append(_Sender(source, table, types).condition(each))
        except _UnsureError:
            continue
    return sa.and_(*sent) if sent else None


class _Sender:
    def __init__(self, source: Source, table: Any, types: Mapping[str, LogicalType]) -> None:
        self.source, self.table, self.types = source, table, types

    def condition(self, node: Node, holds: bool = True) -> Any:  # noqa: PLR0911 - one a form
        """SQLAlchemy's expression of the tree, or of its negation; both are null where a column is."""
        import sqlalchemy as sa

        match node:
            case Call("and" | "or" as op, args):
                both = (op == "and") is holds
                return (sa.and_ if both else sa.or_)(*(self.condition(arg, holds) for arg in args))
            case Call("not", (only,)):
                return self.condition(only, not holds)
            case Call("is null", (Column(name),)):
                column, kind = self._column(name)
                if kind not in ("int", "string", "bool"):
                    raise _UnsureError
                return column.is_(None) if holds else column.is_not(None)
            case Call("in", (Column(name), *items)):
                column, kind = self._column(name)
                values = [self._value(item, kind) for item in items]
                return column.in_(values) if holds else column.not_in(values)
            case Call("between", (Column(name), low, high)):
                both_bounds = Call("and", (Call(">=", (Column(name), low)), Call("<=", (Column(name), high))))
                return self.condition(both_bounds, holds)
            case Call(op, (Column(name), Literal() as constant)) if op in _OPPOSITE:
                return self._compared(name, op if holds else _OPPOSITE[op], constant)
            case Call(op, (Literal() as constant, Column(name))) if op in _OPPOSITE:
                return self._compared(name, _MIRRORED[op if holds else _OPPOSITE[op]], constant)
            case Column(name):
                column, kind = self._column(name)
                if kind != "bool":
                    raise _UnsureError
                return column.is_(True) if holds else column.is_(False)
        raise _UnsureError

    def _compared(self, name: str, op: str, constant: Literal) -> Any:
        column, kind = self._column(name)
        if kind in ("string", "bool") and op not in ("=", "<>"):
            raise _UnsureError  # texts are ordered by collations
        value = self._value(constant, kind)
        if kind == "bool":
            return column.is_(value is (op == "="))
        sql = {"=": "__eq__", "<>": "__ne__", "<": "__lt__", "<=": "__le__", ">": "__gt__", ">=": "__ge__"}[op]
        return getattr(column, sql)(value)

    def _column(self, name: str) -> tuple[Any, LogicalType]:
        """A column whose values arrive as they are compared there, and its type."""
        import sqlalchemy as sa
        from sqlalchemy.dialects import postgresql as pg

        alias = {"event_timestamp": self.source.event_timestamp, "created_timestamp": self.source.created_timestamp}
        own = alias.get(name) or name
        column = self.table.columns.get(written(self.source, own))
        if column is None or logical_of(column.type) != self.types[name]:
            raise _UnsureError
        plain = type(column.type)
        if plain in (sa.TEXT, sa.VARCHAR):
            # byte by byte, whatever the column's collation calls equal
            return sa.collate(column, "C"), "string"
        if plain in (sa.INTEGER, sa.BIGINT, sa.SMALLINT, sa.BOOLEAN):
            return column, self.types[name]
        if plain in (sa.DOUBLE_PRECISION, pg.DOUBLE_PRECISION) or (plain is sa.TIMESTAMP and column.type.timezone):
            return column, self.types[name]
        if plain is pg.TIMESTAMP and column.type.timezone:
            return column, "timestamp"
        raise _UnsureError

    def _value(self, node: Node, kind: LogicalType) -> Any:
        if not isinstance(node, Literal):
            raise _UnsureError
        value = node.value
        if kind == "timestamp" and isinstance(value, str):
            return datetime_of(parse_instant(value))
        allowed = {"int": (int,), "float": (int, float), "string": (str,), "bool": (bool,)}.get(kind, ())
        if type(value) not in allowed or (isinstance(value, str) and not value.isascii()):
            raise _UnsureError  # a database of another encoding could not be asked for it
        return float(value) if kind == "float" else value
