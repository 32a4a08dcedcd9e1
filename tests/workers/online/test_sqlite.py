"""The file of online values: generations, guarded writes, and what happens when something goes wrong."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from limner.language.errors import LimnerError
from limner.workers.online.pack import Column
from limner.workers.online.sqlite import Database, Snapshot
from limner.workers.online.writer import OnlineWriter
from tests.workers.online.profiles import rows, schema


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[OnlineWriter]:
    made = OnlineWriter(tmp_path / "online.db")
    yield made
    made.database.close()


def spends(writer: OnlineWriter, view: str = "taste") -> dict[int, float | None]:
    """What is served: user -> spend."""
    with writer.database.reading() as snapshot:
        generation = snapshot.served()[view]
        layout = generation.schema.layout
        return {generation.schema.decode(key)[0]: layout.get(value, 0) for key, _, value in snapshot.scan(generation)}


def test_older_values_never_replace_newer_ones(writer: OnlineWriter) -> None:
    """An older event timestamp is ignored, an equal one is a correction, a newer one replaces."""
    writer.replace(schema(), [rows([1, 2, 3], [10.0, 20.0, 30.0], at=100)], loaded="a", as_of=100)
    served = writer.served("taste")
    assert served is not None
    offered = writer.update(served, [rows([1, 2, 3], [11.0, 21.0, 31.0], at=[99, 100, 101])], loaded="b", as_of=101)
    assert offered == 3
    assert spends(writer) == {1: 10.0, 2: 21.0, 3: 31.0}
    after = writer.served("taste")
    assert after is not None
    assert (after.id, after.loaded, after.as_of) == (served.id, "b", 101)


def test_a_new_definition_takes_over_in_one_step(writer: OnlineWriter) -> None:
    """A reader that began before the change reads the old definition to its end; the next one reads the new."""
    writer.replace(schema(), [rows([1], [10.0])], loaded="a", as_of=0)
    reader = Database(writer.database.path, readonly=True)
    with reader.reading() as snapshot:
        before = snapshot.served()["taste"]
        extra = Column("visits", "int")
        batch = rows([1, 2], [11.0, 12.0]).append_column("visits", pa.array([5, 6]))
        writer.replace(schema("taste", "f2", extra), [batch], loaded="b", as_of=1)
        assert snapshot.count(before) == 1
        assert snapshot.served()["taste"].schema.fingerprint == "f1"
    with reader.reading() as snapshot:
        assert snapshot.served()["taste"].schema == schema("taste", "f2", extra)
    assert spends(writer) == {1: 11.0, 2: 12.0}
    tables = writer.database.connection().execute("SELECT count(*) FROM sqlite_master WHERE name LIKE 'values%'")
    assert tables.fetchone() == (1,)


def test_a_failed_write_changes_nothing(writer: OnlineWriter) -> None:
    """A source of rows that breaks in the middle leaves values, pointer and state as they were."""
    writer.replace(schema(), [rows([1], [10.0], at=5)], loaded="a", as_of=5)
    served = writer.served("taste")
    assert served is not None

    def broken() -> Iterator[pa.RecordBatch]:
        yield rows([1, 2], [99.0, 99.0], at=9)
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        writer.update(served, broken(), loaded="b", as_of=9)
    with pytest.raises(OSError, match="disk"):
        writer.replace(schema("taste", "f2"), broken(), loaded="b", as_of=9)
    assert writer.served("taste") == served
    assert spends(writer) == {1: 10.0}


def test_two_rows_of_one_entity_are_not_counted_as_two_profiles(writer: OnlineWriter) -> None:
    """Rows that were to be served are reconciled with the rows that are there."""
    with pytest.raises(LimnerError, match="3 rows were to be served, the online store holds 2"):
        writer.replace(schema(), [rows([1, 2, 1], [1.0, 2.0, 3.0])], loaded="a", as_of=0)
    assert writer.served("taste") is None


def test_dropping_a_view_leaves_the_others(writer: OnlineWriter) -> None:
    """Each view has its own table."""
    for view in ("taste", "basics"):
        writer.replace(schema(view), [rows([1], [10.0])], loaded="a", as_of=0)
    writer.drop(["taste"])
    assert writer.served("taste") is None
    assert spends(writer, "basics") == {1: 10.0}


def test_another_programs_file_is_left_alone(tmp_path: Path) -> None:
    """A file of Feast's own SQLite store is not written into."""
    path = tmp_path / "online.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE their_own(x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(LimnerError, match=r"online_store\.path"):
        OnlineWriter(path).served("taste")
    assert path.read_bytes() == before


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    """No SQLite message without advice."""
    path = tmp_path / "online.db"
    path.write_bytes(b"not a database at all, but long enough to look like one" * 100)
    with pytest.raises(LimnerError, match="delete it and run `limner materialize` again"):
        OnlineWriter(path).served("taste")


def test_readers_do_not_make_files(tmp_path: Path) -> None:
    """Asking a project that has not been materialized is an error, and leaves no empty file behind."""
    with pytest.raises(LimnerError, match="limner materialize START END"):
        Database(tmp_path / "online.db", readonly=True).connection()
    assert list(tmp_path.iterdir()) == []


def test_readers_see_whole_updates_while_a_writer_works(writer: OnlineWriter) -> None:
    """Threads that share one Database read a consistent state at any time."""
    users = list(range(200))
    writer.replace(schema(), [rows(users, [0.0] * 200, at=0)], loaded="0", as_of=0)
    reader = Database(writer.database.path, readonly=True)
    mixed: list[set[object]] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            with reader.reading() as snapshot:
                generation = snapshot.served()["taste"]
                seen = {generation.schema.layout.get(value, 0) for _, _, value in snapshot.scan(generation)}
            if len(seen) != 1:
                mixed.append(seen)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for step in range(1, 15):
        served = writer.served("taste")
        assert served is not None
        batch = rows(users, [float(step)] * 200, at=step)
        if step % 5:
            writer.update(served, [batch], loaded=str(step), as_of=step)
        else:
            writer.replace(schema("taste", f"f{step}"), [batch], loaded=str(step), as_of=step)
    stop.set()
    for thread in threads:
        thread.join()
    assert mixed == []


def test_an_answer_is_of_one_state_though_it_begins_with_the_one_known(writer: OnlineWriter) -> None:
    """Whatever is committed between the reads of an answer, it is begun again; so is one that fails for that."""
    writer.replace(schema(), [rows([1, 2], [0.0, 0.0])], loaded="0", as_of=0)
    reader = Database(writer.database.path, readonly=True)

    def commit(step: int) -> None:
        served = writer.served("taste")
        assert served is not None
        batch = rows([1, 2], [float(step)] * 2, at=step)
        if step % 2:
            writer.update(served, [batch], loaded=str(step), as_of=step)
        else:
            writer.replace(schema("taste", f"f{step}"), [batch], loaded=str(step), as_of=step)

    for step in range(1, 20):
        calls = []

        def answer(snapshot: Snapshot, step: int = step, calls: list[int] = calls) -> list[object]:
            generation = snapshot.served()["taste"]
            spends: list[object] = []
            for user in (1, 2):
                found = snapshot.fetch(generation, [generation.schema.encode([user])])
                spends += [generation.schema.layout.get(value, 0) for _, value in found.values()]
                if not calls:
                    commit(step)
                calls.append(step)
            if step % 3 == 0:
                spends.append(snapshot.count(generation))
            return spends

        assert reader.read(answer)[:2] in ([float(step)] * 2, [float(step - 1)] * 2)
    assert reader.read(answer)[:2] == [19.0, 19.0]
