"""A file that several processes open for the first time at once."""

import sqlite3
import threading
from pathlib import Path

from limner.workers.sqlite_file import write_ahead


def test_a_file_that_somebody_locks_is_waited_for(tmp_path: Path) -> None:
    """SQLite itself gives up at once, whatever its time-out."""
    first = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    first.execute("CREATE TABLE t(a)")
    first.execute("BEGIN EXCLUSIVE")
    second = sqlite3.connect(tmp_path / "x.db", isolation_level=None, timeout=0)
    release = threading.Timer(0.2, first.execute, ["COMMIT"])
    release.start()
    write_ahead(second)
    release.join()
    assert second.execute("PRAGMA journal_mode").fetchone() == ("wal",)
