"""SQLite files that several processes open at once."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

_PATIENCE = 30.0  # seconds
_POLL = 0.01


def write_ahead(connection: sqlite3.Connection) -> None:
    """Let readers and a writer be at work at the same time (WAL), also where others are just making the same file.

    SQLite does not wait for its time-out where two want to change the mode at once, so this does. OperationalError
    where it takes too long.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(_POLL)
        else:
            return


def opened(
    path: Path, tables: str, *, synchronous: Literal["OFF", "NORMAL", "FULL"], busy_seconds: float = 60
) -> sqlite3.Connection:
    """A file, made with its folder where it is not there, with `tables` (statements, each for a table that may exist).

    Transactions are the caller's; threads may share it. `synchronous`: what survives a power cut;
    `busy_seconds`: how long a writer waits for another one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, timeout=busy_seconds, check_same_thread=False)
    write_ahead(connection)
    connection.execute(f"PRAGMA synchronous={synchronous}")
    for statement in tables.split(";"):
        connection.execute(statement)
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; waits for another writer up to the busy timeout."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
