"""Writing online values: a whole generation beside the served one, or newer rows into it."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Self

import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.online.database import Generation, Progress, Waiting
from limner.workers.online.rows import Wrong
from limner.workers.online.schema import ViewSchema
from limner.workers.online.sqlite import REQUEST_VIEWS, Database, Snapshot, explained
from limner.workers.request.program import Program
from limner.workers.sqlite_file import transaction

_UPSERT = """
INSERT INTO {table}(key, event_ts, value) VALUES (?, ?, ?) ON CONFLICT(key) DO
UPDATE SET event_ts = excluded.event_ts, value = excluded.value WHERE excluded.event_ts >= event_ts
"""


class OnlineWriter:
    """The writing side of one file. Each method is all or nothing: after a failure all is as it was."""

    def __init__(self, path: Path | str) -> None:
        self.database = Database(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Close this thread's connection."""
        self.database.close()

    def served(self, view: str) -> Generation | None:
        """The generation a view serves."""
        with self.database.reading() as snapshot:
            return snapshot.served().get(view)

    def replace(
        self,
        schema: ViewSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        loaded: str,
        as_of: int,
        progress: Progress | None = None,
    ) -> int:
        """Fill a new generation and serve it instead of the old one, which goes. Returns the rows it holds.

        Batches have the join keys, the columns and `event_timestamp` (timestamp, UTC), at most one row a key.
        """
        connection = self.database.connection()
        with explained(self.database.path), transaction(connection):
            generation, held = _fill(connection, schema, batches, progress)
            _serve(connection, generation, loaded, as_of)
            _drop_others(connection, schema.view, keep=[generation.id])
        return held

    def prepare(
        self,
        schema: ViewSchema,
        batches: Iterable[pa.RecordBatch],
        *,
        loaded: str,
        as_of: int,
        progress: Progress | None = None,
    ) -> Waiting:
        """Fill a new generation as `replace` does, and leave the old one served: `switch` changes that."""
        connection = self.database.connection()
        with explained(self.database.path), transaction(connection):
            served = Snapshot(connection).served().get(schema.view)
            _drop_others(connection, schema.view, keep=[] if served is None else [served.id])
            generation, held = _fill(connection, schema, batches, progress)
        return Waiting(generation, loaded, as_of, held)

    def switch(self, waiting: Sequence[Waiting], also: Callable[[], object] = lambda: None) -> None:
        """Serve generations instead of the old ones of their views, which go: all in one step.

        `also` is called just before that becomes visible; if it fails, nothing has changed.
        """
        connection = self.database.connection()
        with explained(self.database.path), transaction(connection):
            for each in waiting:
                _serve(connection, each.generation, each.loaded, each.as_of)
                _drop_others(connection, each.generation.schema.view, keep=[each.generation.id])
            also()

    def update(
        self,
        generation: Generation,
        batches: Iterable[pa.RecordBatch],
        *,
        loaded: str | None = None,
        as_of: int | None = None,
        progress: Progress | None = None,
    ) -> int:
        """Write rows into a generation; an older event timestamp never replaces a newer one. Returns rows offered."""
        connection = self.database.connection()
        with explained(self.database.path), transaction(connection):
            offered = _upsert(connection, generation, batches, progress)
            if loaded is not None:
                _serve(connection, generation, loaded, as_of)
        return offered

    def mend(self, generation: Generation, wrong: Sequence[Wrong]) -> list[bool]:
        """Put each row right that is still as it was found; of each, whether it was."""
        connection = self.database.connection()
        with explained(self.database.path), transaction(connection):
            return [_mend(connection, generation.table, each) for each in wrong]

    def create(self, schema: ViewSchema) -> Generation:
        """An empty generation, served at once: for values that are pushed, not materialized."""
        connection = self.database.connection()
        with explained(self.database.path), transaction(connection):
            generation = _create(connection, schema)
            _serve(connection, generation, None, None)
            _drop_others(connection, schema.view, keep=[generation.id])
        return generation

    def set_profiles(self, profiles: Mapping[str, Mapping[str, list[str]]], programs: Iterable[Program] = ()) -> None:
        """Make `profiles` (profile -> view -> features) and the request views of `programs` those that are served."""
        connection = self.database.connection()
        with explained(self.database.path), transaction(connection):
            connection.execute("DELETE FROM profile")
            connection.executemany(
                "INSERT INTO profile(name, members) VALUES (?, ?)",
                [(name, json.dumps(members)) for name, members in profiles.items()],
            )
            connection.execute(REQUEST_VIEWS)
            connection.execute("DELETE FROM request_view")
            connection.executemany(
                "INSERT INTO request_view(name, program) VALUES (?, ?)", [(each.name, each.text) for each in programs]
            )

    def drop_unserved(self, view: str) -> None:
        """Remove the generations of a view that it does not serve. No run of the view may be on."""
        connection = self.database.connection()
        with explained(self.database.path), transaction(connection):
            served = Snapshot(connection).served().get(view)
            _drop_others(connection, view, keep=[] if served is None else [served.id])

    def drop(self, views: Iterable[str]) -> None:
        """Remove all values of some views."""
        connection = self.database.connection()
        with explained(self.database.path), transaction(connection):
            for view in views:
                connection.execute("DELETE FROM served WHERE view = ?", (view,))
                _drop_others(connection, view, keep=[])


def _create(connection: sqlite3.Connection, schema: ViewSchema) -> Generation:
    cursor = connection.execute(
        "INSERT INTO generation(view, description) VALUES (?, ?)", (schema.view, schema.to_json())
    )
    assert cursor.lastrowid is not None
    generation = Generation(cursor.lastrowid, schema, None)
    connection.execute(
        f"CREATE TABLE {generation.table}(key BLOB NOT NULL UNIQUE, event_ts INTEGER NOT NULL, value BLOB NOT NULL)"
    )
    return generation


def _fill(
    connection: sqlite3.Connection, schema: ViewSchema, batches: Iterable[pa.RecordBatch], progress: Progress | None
) -> tuple[Generation, int]:
    generation = _create(connection, schema)
    offered = _upsert(connection, generation, batches, progress)
    held = Snapshot(connection).count(generation)
    if held != offered:
        raise LimnerError(f"view {schema.view!r}: {offered} rows were to be served, the online store holds {held}")
    return generation, held


def _upsert(
    connection: sqlite3.Connection,
    generation: Generation,
    batches: Iterable[pa.RecordBatch],
    progress: Progress | None,
) -> int:
    statement = _UPSERT.format(table=generation.table)
    offered = 0
    for batch in batches:
        keys = generation.schema.encode_table(batch)
        stamps = batch.column("event_timestamp").cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_pylist()
        connection.executemany(statement, zip(keys, stamps, generation.schema.layout.pack(batch), strict=True))
        offered += batch.num_rows
        if progress is not None:
            progress(batch.num_rows)
    return offered


def _mend(connection: sqlite3.Connection, table: str, wrong: Wrong) -> bool:
    given: tuple[object, ...]
    found = "key = ? AND event_ts = ? AND value = ?"
    if wrong.found is None:
        sql = f"INSERT OR IGNORE INTO {table}(key, event_ts, value) VALUES (?, ?, ?)"
        given = (wrong.key, *(wrong.right or ()))
    elif wrong.right is None:
        sql, given = f"DELETE FROM {table} WHERE {found}", (wrong.key, *wrong.found)
    else:
        sql = f"UPDATE {table} SET event_ts = ?, value = ? WHERE {found}"
        given = (*wrong.right, wrong.key, *wrong.found)
    return connection.execute(sql, given).rowcount > 0


def _serve(connection: sqlite3.Connection, generation: Generation, loaded: str | None, as_of: int | None) -> None:
    connection.execute("UPDATE generation SET loaded = ? WHERE id = ?", (loaded, generation.id))
    connection.execute(
        "INSERT INTO served(view, generation, as_of) VALUES (?, ?, ?) "
        "ON CONFLICT(view) DO UPDATE SET generation = excluded.generation, as_of = excluded.as_of",
        (generation.schema.view, generation.id, as_of),
    )


def _drop_others(connection: sqlite3.Connection, view: str, keep: Sequence[int]) -> None:
    rows = connection.execute("SELECT id FROM generation WHERE view = ?", (view,)).fetchall()
    for (id_,) in rows:
        if id_ not in keep:
            connection.execute(f"DROP TABLE IF EXISTS values_{int(id_)}")
            connection.execute("DELETE FROM generation WHERE id = ?", (id_,))
