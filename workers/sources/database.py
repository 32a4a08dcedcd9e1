"""SQL tables as sources, through SQLAlchemy: where they are, and their columns."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.language.errors import LimnerError
from limner.language.models import LogicalType, Source

if TYPE_CHECKING:
    import sqlalchemy as sa

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
def opened(source: Source, root: Path) -> Iterator[tuple["sa.Connection", "sa.Table"]]:
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
    with opened(source, root) as (_, table):
        kinds = {str(column.name): logical_of(column.type) for column in table.columns}
    return {name: kind for name, kind in kinds.items() if kind is not None}


def logical_of(kind: Any) -> LogicalType | None:
    """The type a spec sees for a SQLAlchemy type; None where specs cannot name it."""
    import sqlalchemy as sa

    types: tuple[tuple[type[Any], LogicalType | None], ...] = (
        (sa.Boolean, "bool"),
        (sa.Integer, "int"),
        (sa.Float, "float"),  # before SQLAlchemy 2.1 a Numeric, since then not
        (sa.Numeric, "float"),
        (sa.DateTime, "timestamp"),
        (sa.Date, "timestamp"),
        (sa.LargeBinary, None),
        (sa.ARRAY, None),
    )
    return next((logical for sql, logical in types if isinstance(kind, sql)), "string")
