"""One DuckDB connection a preparation: bounded memory, UTC, no network."""

import glob
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from limner.language.errors import LimnerError
from limner.workers.sql import literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def file_literal(file: Path) -> str:
    """A SQL string that names one file, where DuckDB would take a glob."""
    return literal(glob.escape(str(file)))


def by_name(tables: Sequence[str]) -> str:
    """One table expression of several, columns matched by name; nothing of none."""
    if len(tables) < 2:
        return "".join(tables)
    return f"({' UNION ALL BY NAME '.join(f'SELECT * FROM {table}' for table in tables)})"


@contextmanager
def connection(
    folder: Path | None, memory_limit: str = "1GB", threads: int | None = None
) -> Iterator["DuckDBPyConnection"]:
    """An in-memory database that spills to `folder`; sessions are in UTC and extensions are never fetched."""
    with _database(folder, memory_limit, threads) as database:
        database.execute("SET TimeZone = 'UTC'")
        yield database


@contextmanager
def looking() -> Iterator["DuckDBPyConnection"]:
    """A session for a look at what files are like: of one database a process, since to open one takes 10 ms."""
    with _for_looks().cursor() as session:
        session.execute("SET TimeZone = 'UTC'")
        yield session


@cache
def _for_looks() -> "DuckDBPyConnection":
    database = _database()
    database.execute("SET GLOBAL enable_external_file_cache = false")  # files may be others at the next look
    return database


def _database(
    folder: Path | None = None, memory_limit: str = "1GB", threads: int | None = None
) -> "DuckDBPyConnection":
    import duckdb

    config: dict[str, str | int | bool | float | list[str]] = {
        "autoinstall_known_extensions": "false",
        # Parquet statistics leave NaN out, and DuckDB 2.0 concludes from them that isnan() is false.
        "disabled_optimizers": "statistics_propagation",
        "memory_limit": memory_limit,
        "preserve_insertion_order": "false",
    }
    if folder is not None:
        config["temp_directory"] = str(folder)
    if threads is not None:
        config["threads"] = threads
    return duckdb.connect(":memory:", config=config)


@contextmanager
def working(source: str, doing: str) -> Iterator[None]:
    """Turn what DuckDB says about the machine, memory or disk, into an error that names the source."""
    import duckdb

    try:
        yield
    except duckdb.OutOfMemoryException as error:
        raise LimnerError(
            f"source {source!r}: not enough memory while {doing}: raise `memory_limit` or the number of `shards` "
            f"in feature_store.yaml ({brief(error)})"
        ) from error
    except duckdb.IOException as error:
        raise LimnerError(f"source {source!r}: error while {doing}: {brief(error)}") from error


@contextmanager
def reading(source: str, doing: str) -> Iterator[None]:
    """As `working`, where input is read: what cannot be read is the input's fault, and the error says so."""
    import duckdb

    try:
        with working(source, doing):
            yield
    except duckdb.Error as error:
        broken = type(error) is duckdb.Error  # the bytes of a Parquet file make no sense
        if not broken and not isinstance(error, duckdb.InvalidInputException | duckdb.ConversionException):
            raise
        raise LimnerError(f"source {source!r}: error while {doing}: {brief(error)}") from error


def brief(error: Exception) -> str:
    """What is wrong and in which file, out of a message that goes on for a page with advice for SQL authors."""
    lines = [line.strip() for line in str(error).strip().splitlines()]
    advice = next((number for number, line in enumerate(lines) if not line or line.startswith("Possible")), len(lines))
    files = [line.removeprefix("file = ") for line in lines if line.startswith("file = ")]
    return ", ".join(lines[: min(advice, 4)])[:400] + "".join(f" in {file}" for file in files[:1])
