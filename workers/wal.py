"""SQLite files that several processes open at once."""

import sqlite3
import time

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
