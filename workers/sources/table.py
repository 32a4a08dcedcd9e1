"""Rows of a SQL table staged to Parquet, in bounded memory."""

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.language.errors import LimnerError
from limner.language.models import LogicalType, Source
from limner.workers.sources.database import logical_of, opened
from limner.workers.sources.naming import renamed, written
from limner.workers.sources.pushdown import pushed

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

CHUNK = 20_000


def stage_table(
    source: Source,
    root: Path,
    low: datetime | None,
    high: datetime,
    late: datetime | None,
    target: Path,
    types: Mapping[str, LogicalType],
) -> None:
    """Write rows of the table to the Parquet file `target`, a chunk at a time through a server-side cursor.

    Of the rows, those whose event timestamp is in [low, high) or null, and those created after `late`; None: no bound.
    Bounds are aware, and already hold the margin a naive column needs. Columns get their new names; of the source's
    `where` PostgreSQL is asked what it surely understands alike (see `pushdown`). Values keep their type, save in
    SQLite, where any column may hold anything: there each is written as text, and the cleaning reads it as its type.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    import sqlalchemy as sa

    with opened(source, root) as (connection, table):
        loose = connection.dialect.name == "sqlite"
        picked = renamed(source, {str(c.name): c for c in table.columns if logical_of(c.type) is not None})
        fields = [pa.field(name, pa.string() if loose else _arrow(c.type)) for name, c in picked.items()]
        schema = pa.schema(fields)
        query = sa.select(*(_selected(c, name, loose, connection.dialect.name) for name, c in picked.items()))
        bounds = _bounds(source, table, low, high, late, connection.dialect.name)
        if bounds is not None:
            query = query.where(bounds)
        asked = pushed(source, table, types) if connection.dialect.name == "postgresql" else None
        if asked is not None:
            query = query.where(asked)
        rows = connection.execution_options(stream_results=True, yield_per=CHUNK).execute(query)
        with pq.ParquetWriter(target, schema, compression="lz4") as writer:
            for part in rows.partitions():
                arrays = [
                    _array(values, field, source, loose)
                    for values, field in zip(zip(*part, strict=True), fields, strict=True)
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))


def _selected(column: Any, name: str, loose: bool, dialect: str) -> Any:
    """What to select for a column: SQLite's own values; PostgreSQL's without infinities, which no datetime can hold."""
    import sqlalchemy as sa

    if loose:
        return sa.type_coerce(column, sa.types.NullType()).label(name)
    if dialect == "postgresql" and isinstance(column.type, sa.DateTime | sa.Date):
        year = sa.extract("year", column)
        return sa.case((sa.and_(sa.func.isfinite(column), year >= 1, year <= 9999), column)).label(name)
    return column.label(name)


def _bounds(
    source: Source, table: "sa.Table", low: datetime | None, high: datetime, late: datetime | None, dialect: str
) -> Any:
    """WHERE, or None. A row whose time cannot be placed is kept: the cleaning reports it."""
    import sqlalchemy as sa

    column = _time_column(table, source, source.event_timestamp)
    if column is None:
        return None
    bounds = sa.or_(_compared(column, dialect) < _bound(high, column, dialect), _unplaceable(column, dialect))
    if low is None:
        return bounds
    recent = sa.or_(_compared(column, dialect) >= _bound(low, column, dialect), _unplaceable(column, dialect))
    if source.created_timestamp is not None:
        created = _time_column(table, source, source.created_timestamp)
        if created is None or late is None:
            return bounds
        after = _compared(created, dialect) > _bound(late, created, dialect)
        recent = sa.or_(recent, after, _unplaceable(created, dialect))
    return sa.and_(bounds, recent)


def _compared(column: Any, dialect: str) -> Any:
    """In SQLite a time is text, and ISO 8601 text sorts as the days do."""
    import sqlalchemy as sa

    return sa.type_coerce(column, sa.String()) if dialect == "sqlite" else column


def _unplaceable(column: Any, dialect: str) -> Any:
    """Rows that no comparison of times can leave out."""
    import sqlalchemy as sa

    if dialect == "sqlite":
        written = sa.type_coerce(column, sa.String()).bool_op("GLOB")("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*")
        return sa.or_(column.is_(None), sa.func.typeof(column) != "text", sa.not_(written))
    if dialect == "postgresql":
        return sa.or_(column.is_(None), column.in_([sa.cast(sign + "infinity", column.type) for sign in ("", "-")]))
    return column.is_(None)


def _bound(moment: datetime, column: Any, dialect: str) -> Any:
    import sqlalchemy as sa

    if dialect == "sqlite":
        return moment.strftime("%Y-%m-%d").rjust(10, "0")
    if isinstance(column.type, sa.Date):
        return moment.date()
    return moment if column.type.timezone else moment.replace(tzinfo=None)


def _time_column(table: "sa.Table", source: Source, name: str | None) -> Any:
    import sqlalchemy as sa

    column = table.columns.get(written(source, name)) if name is not None else None
    return column if column is not None and isinstance(column.type, sa.DateTime | sa.Date) else None


def _arrow(kind: Any) -> "pa.DataType":
    import pyarrow as pa
    import sqlalchemy as sa

    if isinstance(kind, sa.DateTime):
        return pa.timestamp("us", "UTC" if kind.timezone else None)
    if isinstance(kind, sa.Date):
        return pa.date32()
    types = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    return types.get(str(logical_of(kind)), pa.string())


def _array(values: tuple[Any, ...], field: "pa.Field", source: Source, loose: bool) -> "pa.Array":
    import pyarrow as pa

    if loose or pa.types.is_string(field.type):
        return pa.array([_text(value) for value in values], pa.string())
    if pa.types.is_floating(field.type):
        return pa.array([None if value is None else float(value) for value in values], field.type)
    try:
        return pa.array(values, field.type)
    except (pa.ArrowException, OverflowError, TypeError) as error:
        raise LimnerError(
            f"source {source.source!r}: column {field.name!r} holds a value that is no {field.type}: {error}"
        ) from error


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, bytes | memoryview):
        return None
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict | list):
        import json

        return json.dumps(value, sort_keys=True, ensure_ascii=False)
    return str(value)
