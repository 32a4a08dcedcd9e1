"""Opening the ledger's database and making its tables."""

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, func, insert, inspect, make_url, select, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from limner.language.errors import LimnerError
from limner.workers.environment import mask
from limner.workers.ledger.tables import VERSION, LedgerTable, ModelVersion, Schema
from limner.workers.sqlite_file import write_ahead

_BUSY_S = 30  # how long a writer waits for another one
_CONNECT_S = 10
_SCHEMA_LOCK = 0x6C696D6E  # PostgreSQL advisory lock: two processes may meet an empty database


def connect(url: str) -> Engine:
    """Return an engine whose database has the ledger's tables.

    Raises LimnerError, without the password, for a bad URL, a missing driver, a database that cannot be
    reached, or tables written by a later version.
    """
    try:
        parsed = _with_driver(make_url(url))
        engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _server(parsed)
        with engine.begin() as connection:
            _make_tables(connection)
    except ModuleNotFoundError as error:
        install = "pip install 'limner[postgres]'" if error.name == "psycopg" else f"pip install {error.name}"
        raise LimnerError(f"the ledger {mask(url)} needs the package {error.name!r}: {install}") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise LimnerError(
            f"the ledger {mask(url)!r} is not a database URL ({mask(str(error))}); expected "
            "sqlite:///path/to/ledger.db or postgresql://user:${PASSWORD}@host/database"
        ) from error
    except (SQLAlchemyError, OSError) as error:
        reason = mask(str(getattr(error, "orig", None) or error)).strip()
        raise LimnerError(
            f"cannot open the ledger {mask(url)}: {reason}; check the database, "
            "and `ledger` under batch_engine in feature_store.yaml"
        ) from error
    return engine


def _with_driver(url: URL) -> URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgres", "postgresql") else url


def _server(url: URL) -> Engine:
    return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_S})


def _sqlite(url: URL) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_S})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # the driver would begin transactions on its own, and too late
        write_ahead(connection)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and then writes must not find that somebody wrote in between.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _make_tables(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SCHEMA_LOCK})
    if not inspect(connection).has_table(Schema.__tablename__):
        LedgerTable.metadata.create_all(connection)
        connection.execute(insert(Schema).values(version=VERSION))
    elif not inspect(connection).has_table(ModelVersion.__tablename__):
        LedgerTable.metadata.create_all(connection)  # tables that came later
    version = connection.execute(select(func.max(Schema.version))).scalar_one()
    if version != VERSION:
        raise LimnerError(
            f"the ledger has tables of version {version}, this Limner knows {VERSION}: upgrade Limner, or point "
            "`ledger` under batch_engine in feature_store.yaml elsewhere"
        )
