"""What a stream worker must not lose, in one SQLite file: events not yet in the source's files, rows not yet in the
history, vectors not yet in the cache, ids, and how far the inputs were read. All of a micro-batch is one transaction.

What windows hold is not here: it is read from the source's files when a worker starts.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pyarrow as pa

from limner.workers.sqlite_file import opened, transaction

FILE = Path("stream") / "state.db"  # below the data folder
_TABLES = """
CREATE TABLE IF NOT EXISTS position(input TEXT PRIMARY KEY, position TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source(name TEXT PRIMARY KEY, folder TEXT NOT NULL, complete INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS seen(source TEXT, id TEXT, at INTEGER NOT NULL, PRIMARY KEY(source, id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS seen_at ON seen(source, at);
CREATE TABLE IF NOT EXISTS event(number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT, line TEXT, file TEXT);
CREATE TABLE IF NOT EXISTS dead(number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT, line TEXT, file TEXT);
CREATE TABLE IF NOT EXISTS vector(encoder TEXT, digest BLOB, vector BLOB, PRIMARY KEY(encoder, digest)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS progress(
    view TEXT, fingerprint TEXT, flushed INTEGER NOT NULL, cursor INTEGER NOT NULL, PRIMARY KEY(view, fingerprint));
CREATE TABLE IF NOT EXISTS change(
    number INTEGER PRIMARY KEY AUTOINCREMENT, view TEXT, fingerprint TEXT, until INTEGER, rows BLOB);
CREATE TABLE IF NOT EXISTS row(
    number INTEGER PRIMARY KEY AUTOINCREMENT, until INTEGER NOT NULL, view TEXT, source TEXT, rows BLOB);
CREATE TABLE IF NOT EXISTS key(
    source TEXT, lower TEXT, written TEXT NOT NULL, PRIMARY KEY(source, lower)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS name(one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS clock(one INTEGER PRIMARY KEY CHECK (one = 1), instant INTEGER NOT NULL)
"""


class State:
    """The file; instants in µs. Safe to use from several processes: a run writes the events out before it reads.

    `name` tells it from one that was lost: no file that it names was there before.
    """

    def __init__(self, data: Path) -> None:
        """Open it, or make it, below the data folder."""
        self.connection = opened(data / FILE, _TABLES, synchronous="FULL")  # what was acknowledged survives a power cut
        self.connection.execute("INSERT OR IGNORE INTO name VALUES (1, ?)", (uuid.uuid4().hex[:8],))
        self.name: str = self.connection.execute("SELECT name FROM name").fetchone()[0]

    def close(self) -> None:
        """Close it."""
        self.connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing."""
        return transaction(self.connection)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All that is read is of one moment."""
        self.connection.execute("BEGIN")
        try:
            yield
        finally:
            self.connection.execute("COMMIT")

    def position(self, name: str) -> str | None:
        """How far an input was read."""
        row = self.connection.execute("SELECT position FROM position WHERE input = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_position(self, name: str, position: str) -> None:
        """How far an input was read, as of this transaction."""
        self.connection.execute("INSERT OR REPLACE INTO position VALUES (?, ?)", (name, position))

    def instant(self) -> int:
        """The last instant a micro-batch was of."""
        row = self.connection.execute("SELECT instant FROM clock").fetchone()
        return 0 if row is None else int(row[0])

    def set_instant(self, instant: int) -> None:
        """The instant of the micro-batch of this transaction."""
        self.connection.execute("INSERT OR REPLACE INTO clock VALUES (1, ?)", (instant,))

    def seen(self, source: str, ids: Sequence[str]) -> set[str]:
        """Those of the ids that were taken before."""
        found: set[str] = set()
        for start in range(0, len(ids), 500):
            some = ids[start : start + 500]
            marks = ", ".join("?" * len(some))
            sql = f"SELECT id FROM seen WHERE source = ? AND id IN ({marks})"
            found |= {row[0] for row in self.connection.execute(sql, (source, *some))}
        return found

    def remember(self, source: str, ids: Iterable[tuple[str, int]]) -> None:
        """Ids with the event timestamps of their events."""
        rows = ((source, each, at) for each, at in ids)
        self.connection.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", rows)

    def forget(self, source: str, before: int) -> None:
        """Ids of events so old that they would be refused."""
        self.connection.execute("DELETE FROM seen WHERE source = ? AND at < ?", (source, before))

    def complete(self, source: str) -> bool:
        """Whether the ids of the events in the source's files are among those seen."""
        row = self.connection.execute("SELECT complete FROM source WHERE name = ?", (source,)).fetchone()
        return row is not None and bool(row[0])

    def set_source(self, source: str, folder: Path) -> None:
        """Where events of a source go; from now on their ids are complete."""
        self.connection.execute("INSERT OR REPLACE INTO source VALUES (?, ?, 1)", (source, str(folder)))

    def add_events(self, source: str, lines: Iterable[str]) -> None:
        """Lines that are to go into the source's files."""
        rows = ((source, line) for line in lines)
        self.connection.executemany("INSERT INTO event(source, line) VALUES (?, ?)", rows)

    def add_dead(self, source: str, lines: Iterable[str]) -> None:
        """Lines that are to go where events are set aside."""
        self.connection.executemany("INSERT INTO dead(source, line) VALUES (?, ?)", ((source, line) for line in lines))

    def progress(self, view: str, fingerprint: str) -> tuple[int, int] | None:
        """Up to when changes are in the history, and up to when they are computed."""
        sql = "SELECT flushed, cursor FROM progress WHERE view = ? AND fingerprint = ?"
        row = self.connection.execute(sql, (view, fingerprint)).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def set_progress(self, view: str, fingerprint: str, flushed: int, cursor: int) -> None:
        """As `progress`, as of this transaction."""
        row = (view, fingerprint, flushed, cursor)
        self.connection.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?)", row)

    def set_cursor(self, view: str, fingerprint: str, cursor: int) -> None:
        """How far a view is computed, as of this transaction; how far it is in the history stays."""
        sql = "UPDATE progress SET cursor = ? WHERE view = ? AND fingerprint = ?"
        self.connection.execute(sql, (cursor, view, fingerprint))

    def add_change(self, view: str, fingerprint: str, until: int, rows: pa.Table) -> None:
        """History rows, of which the last are as of `until`."""
        values = (view, fingerprint, until, _packed(rows))
        self.connection.execute("INSERT INTO change(view, fingerprint, until, rows) VALUES (?, ?, ?, ?)", values)

    def changes(self, view: str, fingerprint: str, after: int = 0) -> list[tuple[int, pa.Table]]:
        """History rows that are not yet in the history, with their numbers, if greater than `after`; oldest first."""
        sql = "SELECT number, rows FROM change WHERE view = ? AND fingerprint = ? AND number > ? ORDER BY number"
        rows = self.connection.execute(sql, (view, fingerprint, after)).fetchall()
        return [(int(number), _unpacked(blob)) for number, blob in rows]

    def add_rows(self, until: int, view: str, source: str, rows: pa.Table) -> None:
        """Clean rows of a micro-batch, for other workers to take up."""
        values = (until, view, source, _packed(rows))
        self.connection.execute("INSERT INTO row(until, view, source, rows) VALUES (?, ?, ?, ?)", values)

    def rows(self, after: int) -> list[tuple[int, str, str, pa.Table]]:
        """Instant, view, source and rows of micro-batches later than `after`, in their order."""
        sql = "SELECT until, view, source, rows FROM row WHERE until > ? ORDER BY until, number"
        found = self.connection.execute(sql, (after,)).fetchall()
        return [(int(until), view, source, _unpacked(blob)) for until, view, source, blob in found]

    def drop_rows(self, until: int) -> None:
        """Every worker has the rows up to `until`."""
        self.connection.execute("DELETE FROM row WHERE until <= ?", (until,))

    def keys(self, source: str) -> dict[str, str]:
        """How keys of a source's events are spelled, by their lower case."""
        return dict(self.connection.execute("SELECT lower, written FROM key WHERE source = ?", (source,)).fetchall())

    def add_keys(self, source: str, keys: Iterable[tuple[str, str]]) -> None:
        """As `keys`."""
        rows = ((source, lower, written) for lower, written in keys)
        self.connection.executemany("INSERT OR IGNORE INTO key VALUES (?, ?, ?)", rows)

    def flushed(self, view: str, fingerprint: str, until: int) -> None:
        """Changes up to `until` are in the history."""
        with self.transaction():
            sql = "DELETE FROM change WHERE view = ? AND fingerprint = ? AND until <= ?"
            self.connection.execute(sql, (view, fingerprint, until))
            sql = "UPDATE progress SET flushed = ? WHERE view = ? AND fingerprint = ?"
            self.connection.execute(sql, (until, view, fingerprint))

    def add_vectors(self, encoder: str, vectors: Iterable[tuple[bytes, bytes]]) -> None:
        """Vectors (digest, little-endian float32) by the fingerprint of their encoder."""
        rows = ((encoder, digest, vector) for digest, vector in vectors)
        self.connection.executemany("INSERT OR IGNORE INTO vector VALUES (?, ?, ?)", rows)

    def only_views(self, served: Iterable[tuple[str, str]]) -> None:
        """Forget what was computed by other definitions than these (view, fingerprint)."""
        kept = set(served)
        with self.transaction():
            for view, fingerprint in self.connection.execute("SELECT view, fingerprint FROM progress").fetchall():
                if (view, fingerprint) not in kept:
                    for table in ("progress", "change"):
                        sql = f"DELETE FROM {table} WHERE view = ? AND fingerprint = ?"
                        self.connection.execute(sql, (view, fingerprint))


def _packed(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as writer:
        writer.write_table(rows)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _unpacked(blob: bytes) -> pa.Table:
    return pa.ipc.open_stream(pa.py_buffer(blob)).read_all()
