"""From the worker's state to where batch reads: events to the source's files, vectors to the cache.

Any process may do it at any time, and a run does before it reads: whatever was taken by then is in the files. A file
gets its name before it is written, and its rows go after that: whoever comes after a crash writes the same file again.
"""

import fcntl
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.history.files import replace
from limner.workers.locking import at_once
from limner.workers.sources.instants import datetime_of
from limner.workers.stream.state import FILE, State
from limner.workers.text.cache import write_part

DEAD = Path("dead_letters")  # below the data folder
_LINES = 200_000  # of one file
_AHEAD = 60_000_000  # µs: clocks differ


def settle(data: Path, view: str, fingerprint: str, until: int) -> None:
    """What a stream worker has taken is in the sources' files now, for a run to `until` (µs) to read.

    LimnerError where the run would compute the future of a view that events will change.
    """
    if not (data / FILE).exists():
        return
    state = State(data)
    try:
        if state.progress(view, fingerprint) is not None and until > time.time_ns() // 1000 + _AHEAD:
            raise LimnerError(
                f"view {view!r} follows events, so it cannot be materialized up to {datetime_of(until):%Y-%m-%d %H:%M} "
                "UTC: give an END that has come"
            )
        with exporting(data):
            export_of(state, data)
    finally:
        state.close()


def export_of(state: State, data: Path) -> int:
    """Write out what workers have taken; returns the events. The caller is `exporting`."""
    _vectors(state, data)
    folders = {name: Path(folder) for name, folder in state.connection.execute("SELECT name, folder FROM source")}
    events = _lines(state, "event", folders, f"stream-{state.name}")
    sources = [name for (name,) in state.connection.execute("SELECT DISTINCT source FROM dead")]
    _lines(state, "dead", {name: data / DEAD / name for name in sources}, f"dead-{state.name}")
    return events


class Exporting:
    """What `exporting` gives: `hold` lets others hold, too, and keeps everybody from writing out, until the end."""

    def __init__(self, handle: IO[str]) -> None:
        self._handle = handle

    def hold(self) -> None:
        """The files stay as they are: somebody reads them, and takes from the state what came later."""
        fcntl.flock(self._handle, fcntl.LOCK_SH)


@contextmanager
def exporting(data: Path) -> Iterator[Exporting]:
    """Be the only one who writes out; waits for workers that read the files to start."""
    with (data / FILE.parent / ".export.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield Exporting(handle)


@contextmanager
def exporting_now(data: Path) -> Iterator[bool]:
    """The same, or False where one would have to wait."""
    with (data / FILE.parent / ".export.lock").open("w") as handle:
        yield at_once(handle)


def _lines(state: State, table: str, folders: dict[str, Path], prefix: str) -> int:
    """Write the lines of a table, a file a source and call; returns how many."""
    connection, written = state.connection, 0
    with state.transaction():
        _name(connection, table, prefix)
    files = connection.execute(f"SELECT DISTINCT source, file FROM {table} WHERE file IS NOT NULL").fetchall()
    for source, file in files:
        sql = f"SELECT line FROM {table} WHERE source = ? AND file = ? ORDER BY number"
        lines = [line for (line,) in connection.execute(sql, (source, file))]
        replace(folders[source] / file, "".join(f"{line}\n" for line in lines).encode())
        with state.transaction():
            connection.execute(f"DELETE FROM {table} WHERE source = ? AND file = ?", (source, file))
        written += len(lines)
    return written


def _name(connection: sqlite3.Connection, table: str, prefix: str) -> None:
    sql = f"SELECT source, min(number), max(number) FROM {table} WHERE file IS NULL GROUP BY source"
    for source, first, last in connection.execute(sql).fetchall():
        for start in range(first, last + 1, _LINES):
            connection.execute(
                f"UPDATE {table} SET file = ? WHERE source = ? AND file IS NULL AND number BETWEEN ? AND ?",
                (f"{prefix}-{start:012d}.jsonl", source, start, start + _LINES - 1),
            )


def _vectors(state: State, data: Path) -> None:
    """Vectors go first: whoever reads the events finds those of their texts, to the last bit."""
    encoders = [name for (name,) in state.connection.execute("SELECT DISTINCT encoder FROM vector")]
    for encoder in encoders:
        sql = "SELECT digest, vector FROM vector WHERE encoder = ? ORDER BY digest"
        rows = state.connection.execute(sql, (encoder,)).fetchall()
        vectors = np.frombuffer(b"".join(vector for _, vector in rows), "<f4").astype(np.float32)
        vectors = vectors.reshape(len(rows), -1)
        digests = pa.array([digest for digest, _ in rows], pa.binary(16))
        write_part(data / "embeddings" / encoder, digests, vectors, vectors.shape[1])
        with state.transaction():
            sql = "DELETE FROM vector WHERE encoder = ? AND digest = ?"
            state.connection.executemany(sql, [(encoder, digest) for digest, _ in rows])
