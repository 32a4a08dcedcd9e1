"""The SQLite file of online values: a table a generation of a view, and a pointer to the generation served.

A generation is a view's values as computed by one fingerprint. A new one is filled beside the old one and takes
its place in one transaction; a reader's transaction sees one or the other, never both.
"""

import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from limner.language.errors import LimnerError, UnavailableError
from limner.workers.online.database import Generation, Memo, StateMovedError
from limner.workers.online.schema import ViewSchema
from limner.workers.request.program import Program
from limner.workers.sqlite_file import transaction, write_ahead

APPLICATION = 0x4C494D4E  # "LIMN": tells our files from those of Feast's own SQLite store
FORMAT = 1
BUSY_MS = 30_000
_MAX_PARAMETERS = 500
T = TypeVar("T")
_TABLES = """
CREATE TABLE generation(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    view TEXT NOT NULL,
    description TEXT NOT NULL,  -- ViewSchema as JSON
    loaded TEXT                 -- the state of the history its rows were taken from
);
CREATE TABLE served(
    view TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    as_of INTEGER               -- µs since 1970 UTC
);
CREATE TABLE profile(
    name TEXT PRIMARY KEY,
    members TEXT NOT NULL       -- JSON: {view: [features]}
);
"""
REQUEST_VIEWS = """
CREATE TABLE IF NOT EXISTS request_view(
    name TEXT PRIMARY KEY,
    program TEXT NOT NULL       -- Program as JSON
)
"""


class Database:
    """Connections to one file: one a thread and process, opened when first needed."""

    def __init__(self, path: Path | str, *, readonly: bool = False) -> None:
        self.path = Path(path)
        self.readonly = readonly
        self._local = threading.local()

    @property
    def place(self) -> Path:
        """Where it is."""
        return self.path

    def exists(self) -> bool:
        """Whether it was ever written."""
        return self.path.exists()

    def check(self) -> None:
        """LimnerError where there is nothing to read."""
        self.connection()

    def connection(self) -> sqlite3.Connection:
        """This thread's connection. LimnerError if the file cannot be used."""
        owner, connection = getattr(self._local, "opened", (None, None))
        if connection is None or owner != os.getpid():
            with explained(self.path):
                connection = self._open()
            self._local.opened = (os.getpid(), connection)
            self._local.memo = None
        return connection

    def close(self) -> None:
        """Close this thread's connection."""
        _, connection = getattr(self._local, "opened", (None, None))
        if connection is not None:
            connection.close()
            self._local.opened = (None, None)

    def _open(self) -> sqlite3.Connection:
        if self.readonly:
            if not self.path.exists():
                raise UnavailableError(
                    f"there are no online values yet ({self.path}): run `limner materialize START END`"
                )
        else:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        mode = "ro" if self.readonly else "rwc"
        uri = f"{self.path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if (application, version) == (0, 0) and not self.readonly:
            self._create(connection)
            write_ahead(connection)
        elif application != APPLICATION or version != FORMAT:
            raise LimnerError(
                f"{self.path} is not an online store of this version of Limner: "
                "set another online_store.path in feature_store.yaml, or delete the file and materialize again"
            )
        connection.execute("PRAGMA mmap_size=268435456")
        # Some builds of SQLite write zeros over what is dropped: a generation would be written once more when it goes.
        connection.execute("PRAGMA secure_delete=OFF")
        # With WAL, NORMAL can lose the last transactions to a power cut, never tear one; `loaded` is lost with the
        # rows it speaks for, so the next run sees that they are missing.
        connection.execute("PRAGMA synchronous=NORMAL")

    def _create(self, connection: sqlite3.Connection) -> None:
        with transaction(connection):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version:  # another process was faster
                return
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise LimnerError(
                    f"{self.path} belongs to another program (Feast's own SQLite store?): set another online_store.path"
                )
            for statement in _TABLES.split(";")[:-1]:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id={APPLICATION}")
            connection.execute(f"PRAGMA user_version={FORMAT}")

    def _memo(self, connection: sqlite3.Connection) -> Memo:
        """What this thread worked out of the state that a transaction has begun to read."""
        if not self.readonly:  # `data_version` does not count a connection's own changes
            return {}
        version = _version(connection)
        known: tuple[int, Memo] | None = getattr(self._local, "memo", None)
        if known is None or known[0] != version:
            known = self._local.memo = (version, {})
        return known[1]

    def read(self, answer: Callable[["Snapshot"], T]) -> T:
        """What `answer` makes of one state of the file.

        It begins with the state that is known, without a transaction: if it is still the newest one afterwards, all
        that was read is of it.
        """
        connection = self.connection()
        known: tuple[int, Memo] | None = self._local.memo
        if known is not None:
            snapshot = Snapshot(connection, *known)
            try:
                found = answer(snapshot)
                if snapshot.seen or _version(connection) == known[0]:
                    return found
            except (StateMovedError, sqlite3.Error):  # what cannot be read may be read in a state of now
                pass
            except Exception:
                with explained(self.path):
                    if _version(connection) == known[0]:
                        raise
        with self.reading() as snapshot:
            return answer(snapshot)

    @contextmanager
    def reading(self) -> Iterator["Snapshot"]:
        """A consistent view of the file for the length of a `with` block."""
        connection = self.connection()
        with explained(self.path):
            connection.execute("BEGIN")
            try:
                yield Snapshot(connection, memo=self._memo(connection))
            finally:
                connection.execute("ROLLBACK")


class Snapshot:
    """Reads within one transaction, or of a state whose version is given: then values that are of another one raise
    StateMovedError, and `seen` says that all that was read until now is of that one.
    """

    def __init__(self, connection: sqlite3.Connection, version: int | None = None, memo: Memo | None = None) -> None:
        self._connection = connection
        self._version = version
        self.memo = {} if memo is None else memo
        self.seen = False

    def _execute(self, query: str) -> sqlite3.Cursor:
        self.seen = False
        return self._connection.execute(query)

    def served(self) -> dict[str, Generation]:
        """The generation each view serves."""
        found: dict[str, Generation] | None = self.memo.get("served")
        if found is None:
            rows = self._execute(
                "SELECT g.id, g.description, g.loaded, s.as_of, s.view "
                "FROM served s JOIN generation g ON g.id = s.generation ORDER BY s.view"
            )
            found = self.memo["served"] = {
                view: Generation(id_, ViewSchema.from_json(text), loaded, as_of)
                for id_, text, loaded, as_of, view in rows
            }
        return found

    def unserved(self) -> list[Generation]:
        """Generations that no view serves: a run is filling them, or was killed while it did."""
        rows = self._execute(
            "SELECT id, description, loaded FROM generation WHERE id NOT IN (SELECT generation FROM served) ORDER BY id"
        )
        return [Generation(id_, ViewSchema.from_json(text), loaded) for id_, text, loaded in rows]

    def bytes_of(self, generation: Generation) -> int:
        """The bytes of its keys and values."""
        query = f"SELECT total(length(key) + length(value) + 8) FROM {generation.table}"
        (size,) = self._execute(query).fetchone()
        return int(size)

    def profiles(self) -> dict[str, str]:
        """The members of each profile, as JSON `{view: [features]}`."""
        return dict(self._execute("SELECT name, members FROM profile ORDER BY name").fetchall())

    def programs(self) -> dict[str, Program]:
        """The request views, by name; none in a file that was written before there were any."""
        found: dict[str, Program] | None = self.memo.get("programs")
        if found is None:
            exists = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'request_view'"
            rows: Iterable[tuple[str, str]] = ()
            if self._execute(exists).fetchone() is not None:
                rows = self._execute("SELECT name, program FROM request_view ORDER BY name")
            found = self.memo["programs"] = {name: Program.from_json(text) for name, text in rows}
        return found

    def fetch(self, generation: Generation, keys: Sequence[bytes]) -> Mapping[bytes, tuple[int, bytes]]:
        """Event timestamp (µs UTC) and packed value of those of `keys` that have one."""
        found: dict[bytes, tuple[int, bytes]] = {}
        for start in range(0, len(keys), _MAX_PARAMETERS):
            part = keys[start : start + _MAX_PARAMETERS]
            rows = self._connection.execute(_fetching(generation.id, len(part)), part).fetchall()
            found |= {key: (event_ts, value) for key, event_ts, value, _ in rows}
            if rows and self._version is not None:
                if rows[0][3] != self._version:
                    raise StateMovedError
                self.seen = True
        return found

    def scan(self, generation: Generation) -> Iterator[tuple[bytes, int, bytes]]:
        """Key, event timestamp and packed value of every entity, in no particular order."""
        yield from self._execute(f"SELECT key, event_ts, value FROM {generation.table}")

    def keys(self, generation: Generation) -> Iterator[bytes]:
        """The key of every entity, in no particular order: out of the index alone."""
        yield from (key for (key,) in self._execute(f"SELECT key FROM {generation.table}"))

    def count(self, generation: Generation) -> int:
        """How many entities it holds."""
        (rows,) = self._execute(f"SELECT count(*) FROM {generation.table}").fetchone()
        return int(rows)


@lru_cache(maxsize=1024)
def _fetching(generation: int, keys: int) -> str:
    """Rows by key, and the version of the state they are of: in one statement, so that nothing comes between."""
    marks = ",".join("?" * keys)
    version = "(SELECT data_version FROM pragma_data_version)"
    return f"SELECT key, event_ts, value, {version} FROM values_{generation} WHERE key IN ({marks})"


def _version(connection: sqlite3.Connection) -> int:
    """It becomes another one with each commit of another connection."""
    (version,) = connection.execute("PRAGMA data_version").fetchone()
    return int(version)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say what to do about an SQLite error, in one message."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "locked" in text or "busy" in text:
            advice = "another process has been writing for more than 30 s: wait for it, or end it"
        elif "readonly" in text or "unable to open" in text:
            advice = "check that the file and its folder may be written by this user"
        elif "full" in text:
            advice = "free some disk space"
        elif "malformed" in text or "not a database" in text:
            advice = "the file is damaged: delete it and run `limner materialize` again (the history is safe)"
        else:
            advice = "see the file's folder"
        raise UnavailableError(f"online store {path}: {text}; {advice}") from error
