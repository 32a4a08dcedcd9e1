"""SQL tables as sources, through SQLAlchemy: their columns, and their rows staged to Parquet in bounded memory."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.language.errors import LimnerError
from limner.language.models import LogicalType, Source

if TYPE_CHECKING:
    import pyarrow as pa
    import sqlalchemy as sa

CHUNK = 20_000
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}


def url_of(source: Source, root: Path) -> "sa.URL":
    """The database's URL: `${NAME}` replaced from the environment, SQLite files relative to `root`."""
    import sqlalchemy as sa

    text = source.database or ""

    def value(match: re.Match[str]) -> str:
        if match[1] not in os.environ:
            raise LimnerError(f"source {source.source!r}: `database` needs the environment variable {match[1]}: set it")
        return os.environ[match[1]]

    try:
        url = sa.make_url(_VARIABLE.sub(value, text))
    except (sa.exc.ArgumentError, ValueError) as error:
        # the text may hold a password: show what was written, not what it expands to
        raise LimnerError(
            f"source {source.source!r}: {text!r} is not a database URL: write e.g. postgresql://user:${{PASSWORD}}@host/name"
        ) from error
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        file = root / url.database
        if not file.is_file():
            raise LimnerError(f"source {source.source!r}: there is no SQLite file {file}: correct `database`")
        url = url.set(database=str(file))
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


@contextmanager
def _opened(source: Source, root: Path) -> Iterator[tuple["sa.Connection", "sa.Table"]]:
    """A connection and the reflected table; errors name the source, and mask the password."""
    import sqlalchemy as sa

    url = url_of(source, root)
    shown = url.render_as_string(hide_password=True)
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    except (ModuleNotFoundError, sa.exc.NoSuchModuleError) as error:
        hint = "pip install 'limner[postgres]'" if url.get_backend_name() == "postgresql" else f"install it: {error}"
        raise LimnerError(f"source {source.source!r}: no driver for {shown}: {hint}") from error
    try:
        with engine.connect() as connection:
            if url.get_backend_name() == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            yield connection, _table(source, connection, shown)
    except sa.exc.SQLAlchemyError as error:
        cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        if url.password:
            cause = cause.replace(str(url.password), "***")
        raise LimnerError(f"source {source.source!r}: cannot read {shown}: {cause}") from error
    finally:
        engine.dispose()


def _table(source: Source, connection: "sa.Connection", shown: str) -> "sa.Table":
    import sqlalchemy as sa

    schema, _, name = (source.table or "").rpartition(".")
    inspector = sa.inspect(connection)
    if not inspector.has_table(source.table or ""):
        try:
            return sa.Table(name, sa.MetaData(), schema=schema or None, autoload_with=connection, resolve_fks=False)
        except sa.exc.NoSuchTableError:
            known = inspector.get_table_names() + inspector.get_view_names()
            listed = ", ".join(sorted(known)[:20]) or "none"
            raise LimnerError(
                f"source {source.source!r}: {shown} has no table {source.table!r}; its tables: {listed}"
            ) from None
    return sa.Table(source.table or "", sa.MetaData(), autoload_with=connection, resolve_fks=False)


def columns_of(source: Source, root: Path) -> dict[str, LogicalType]:
    """Columns by name; binary, array and other columns that specs cannot name are left out."""
    with _opened(source, root) as (_, table):
        kinds = {str(column.name): _logical(column.type) for column in table.columns}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def _logical(kind: Any) -> LogicalType | None:
    import sqlalchemy as sa

    types: tuple[tuple[type[Any], LogicalType | None], ...] = (
        (sa.Boolean, "bool"),
        (sa.Integer, "int"),
        (sa.Numeric, "float"),  # Float is a Numeric
        (sa.DateTime, "timestamp"),
        (sa.Date, "timestamp"),
        (sa.LargeBinary, None),
        (sa.ARRAY, None),
    )
    return next((logical for sql, logical in types if isinstance(kind, sql)), "string")


def stage_table(
    source: Source,
    root: Path,
    columns: list[str] | None,
    low: datetime | None,
    high: datetime,
    late: datetime | None,
    target: Path,
) -> None:
    """Write rows of the table to the Parquet file `target`, a chunk at a time through a server-side cursor.

    Of the rows, those whose event timestamp is in [low, high) or null, and those whose created timestamp is after `late`
    (None: no such bound); bounds are aware and already hold the margin a naive column needs. Values keep their type, save in SQLite, where any
    column may hold anything: there each is written as text, and read as the column's type by the cleaning.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    import sqlalchemy as sa

    with _opened(source, root) as (connection, table):
        loose = connection.dialect.name == "sqlite"
        picked = [c for c in table.columns if _logical(c.type) is not None and (columns is None or c.name in columns)]
        fields = [pa.field(str(c.name), pa.string() if loose else _arrow(c.type)) for c in picked]
        schema = pa.schema(fields)
        query = sa.select(*(_selected(c, loose, connection.dialect.name) for c in picked))
        bounds = _bounds(source, table, low, high, late, loose)
        if bounds is not None:
            query = query.where(bounds)
        rows = connection.execution_options(stream_results=True, yield_per=CHUNK).execute(query)
        with pq.ParquetWriter(target, schema, compression="lz4") as writer:
            for part in rows.partitions():
                arrays = [
                    _array(values, field, source, loose)
                    for values, field in zip(zip(*part, strict=True), fields, strict=True)
                ]
                writer.write_batch(pa.record_batch(arrays, schema=schema))


def _selected(column: Any, loose: bool, dialect: str) -> Any:
    """What to select for a column: SQLite's own values, PostgreSQL's without the infinities Python has no datetime for."""
    import sqlalchemy as sa

    if loose:
        return sa.type_coerce(column, sa.types.NullType()).label(str(column.name))
    if dialect == "postgresql" and isinstance(column.type, sa.DateTime | sa.Date):
        year = sa.extract("year", column)
        return sa.case((sa.and_(sa.func.isfinite(column), year >= 1, year <= 9999), column)).label(str(column.name))
    return column


def _bounds(
    source: Source, table: "sa.Table", low: datetime | None, high: datetime, late: datetime | None, loose: bool
) -> Any:
    import sqlalchemy as sa

    column = _time_column(table, source.event_timestamp)
    if column is None:
        return None

    def at(moment: datetime, like: Any) -> Any:
        if loose:
            return moment.strftime("%Y-%m-%d").rjust(10, "0")
        if isinstance(like.type, sa.Date):
            return moment.date()
        return moment if like.type.timezone else moment.replace(tzinfo=None)

    def holds(like: Any, compare: Any) -> Any:
        # in SQLite a time is ISO text; what is not text cannot be compared with one and is left to the cleaning
        return (
            sa.or_(like.is_(None), sa.func.typeof(like) != "text", compare)
            if loose
            else sa.or_(like.is_(None), compare)
        )

    def plain(like: Any) -> Any:
        return sa.type_coerce(like, sa.String()) if loose else like

    bounds = holds(column, plain(column) < at(high, column))
    if low is None:
        return bounds
    recent = holds(column, plain(column) >= at(low, column))
    if source.created_timestamp is not None:
        created = _time_column(table, source.created_timestamp)
        if created is None or late is None:
            return bounds
        recent = sa.or_(recent, plain(created) > at(late, created))
    return sa.and_(bounds, recent)


def _time_column(table: "sa.Table", name: str | None) -> Any:
    import sqlalchemy as sa

    column = table.columns.get(name) if name is not None else None
    return column if column is not None and isinstance(column.type, sa.DateTime | sa.Date) else None


def _arrow(kind: Any) -> "pa.DataType":
    import pyarrow as pa
    import sqlalchemy as sa

    if isinstance(kind, sa.DateTime):
        return pa.timestamp("us", "UTC" if kind.timezone else None)
    if isinstance(kind, sa.Date):
        return pa.date32()
    types = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64()}
    return types.get(str(_logical(kind)), pa.string())


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
