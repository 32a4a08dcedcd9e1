"""Online values in a real Valkey: the same answers as from SQLite, moves without a mixed read, nothing left behind."""

import threading
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import limner
from limner.benchmarks.valkey import valkey
from limner.language.errors import LimnerError
from limner.workers.online.database import Database, Writer
from limner.workers.online.locate import REDIS_TYPE, RedisPlace
from limner.workers.online.opening import open_database, open_writer
from limner.workers.online.pack import Column
from limner.workers.online.redis_reader import RedisDatabase
from limner.workers.online.redis_writer import RedisWriter
from tests.workers.online.profiles import rows, schema

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("stores")]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with valkey() as found:
        yield found


@pytest.fixture
def place(port: int) -> RedisPlace:
    return RedisPlace(f"redis://127.0.0.1:{port}/0", f"test:{uuid.uuid4().hex}")


@pytest.fixture
def writer(place: RedisPlace) -> Iterator[RedisWriter]:
    with RedisWriter(place) as made:
        yield made


def values(database: Database, view: str = "taste") -> dict[int, tuple[int, bytes]]:
    """What is served: user -> instant and packed value; scanning and fetching must agree."""

    def answer(snapshot: Any) -> dict[int, tuple[int, bytes]]:
        generation = snapshot.served()[view]
        decode = generation.schema.decode
        found = {key: (at, value) for key, at, value in snapshot.scan(generation)}
        assert dict(snapshot.fetch(generation, list(found))) == found
        assert snapshot.count(generation) == len(found)
        return {decode(key)[0]: each for key, each in found.items()}

    return database.read(answer)


def spends(place: RedisPlace) -> dict[int, Any]:
    layout = schema().layout
    return {user: layout.get(value, 0) for user, (_, value) in values(open_database(place)).items()}


def keys(writer: RedisWriter) -> list[str]:
    """The names of all that the server holds of this place, without the prefix."""
    prefix = writer.place.prefix
    return sorted(key.decode().removeprefix(f"{prefix}:") for key in writer.client.scan_iter(f"{prefix}:*"))


def test_both_places_hold_the_same_bytes(place: RedisPlace, tmp_path: Path) -> None:
    """Whatever is replaced, updated and pushed, in whatever order of instants, Valkey and SQLite answer alike."""
    random = np.random.default_rng(5)
    both: Mapping[Any, Writer] = {each: open_writer(each) for each in (place, tmp_path / "online.db")}
    for step in range(25):
        users = sorted(random.choice(60, size=int(random.integers(1, 50)), replace=False).tolist())
        spent = [None if random.random() < 0.2 else float(random.integers(100)) for _ in users]
        at = [int(random.integers(-3, 4)) * 2**40 + int(random.integers(3)) for _ in users]
        batches = [rows(users, spent, at=at)]
        for writer in both.values():
            served = writer.served("taste")
            if served is None or step % 8 == 0:
                writer.replace(schema(fingerprint=f"f{step}"), batches, loaded=str(step), as_of=step)
            elif step % 2:
                assert writer.update(served, batches, loaded=str(step), as_of=step) == len(users)
            else:
                writer.update(served, [batches[0], rows(users[:2], [7.0] * len(users[:2]), at=-(2**50))])
        one, other = (values(open_database(each)) for each in both)
        assert one == other
        found, wanted = (writer.served("taste") for writer in both.values())
        assert found is not None
        assert wanted is not None
        assert (found.schema, found.loaded) == (wanted.schema, wanted.loaded)


def test_a_new_definition_takes_over_in_one_step(writer: RedisWriter, place: RedisPlace) -> None:
    """Readers see the old one until the switch, then the new one, and the old one's values are gone."""
    writer.replace(schema(), [rows([1], [10.0])], loaded="a", as_of=0)
    other = schema("taste", "f2", Column("visits", "int"))
    batch = rows([1, 2], [11.0, 12.0]).append_column("visits", pa.array([5, 6]))
    waiting = writer.prepare(other, [batch], loaded="b", as_of=1)
    assert spends(place) == {1: 10.0}
    with open_database(place).reading() as snapshot:
        assert [each.schema for each in snapshot.unserved()] == [other]
        assert snapshot.bytes_of(snapshot.unserved()[0]) > 0
    writer.switch([waiting])
    assert spends(place) == {1: 11.0, 2: 12.0}
    assert keys(writer) == ["state", "values_2", "version"]


def test_what_moves_with_a_switch_can_stop_it(writer: RedisWriter, place: RedisPlace) -> None:
    """`also` fails: nothing has changed; the values still wait."""
    writer.replace(schema(), [rows([1], [10.0])], loaded="a", as_of=0)
    waiting = writer.prepare(schema("taste", "f2"), [rows([1], [11.0])], loaded="b", as_of=1)

    def fails() -> None:
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        writer.switch([waiting], also=fails)
    assert spends(place) == {1: 10.0}
    writer.switch([waiting], also=lambda: None)
    assert spends(place) == {1: 11.0}


def test_a_failed_write_changes_nothing(writer: RedisWriter, place: RedisPlace) -> None:
    """Rows that break off in the middle leave values and state as they were, and no half written hash."""
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
    with pytest.raises(LimnerError, match="3 rows were to be served, the online store holds 2"):
        writer.replace(schema("taste", "f2"), [rows([1, 2, 1], [1.0, 2.0, 3.0])], loaded="b", as_of=9)
    assert writer.served("taste") == served
    assert spends(place) == {1: 10.0}
    assert keys(writer) == ["state", "values_1", "version"]


def test_a_run_that_was_killed_after_its_commit_is_taken_up(
    writer: RedisWriter, place: RedisPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rows are read at once; pushed ones keep their place beside them; the next run merges them."""
    writer.replace(schema(), [rows([1, 2, 3], [1.0, 2.0, 3.0], at=5)], loaded="a", as_of=5)
    served = writer.served("taste")
    assert served is not None
    with monkeypatch.context() as patch:
        patch.setattr(RedisWriter, "_settle", lambda self, id_: None)
        writer.update(served, [rows([1, 4], [10.0, 40.0], at=7)], loaded="b", as_of=7)
    assert len(keys(writer)) == 4
    assert spends(place) == {1: 10.0, 2: 2.0, 3: 3.0, 4: 40.0}
    writer.update(served, [rows([1, 2, 4], [0.0, 20.0, 41.0], at=[6, 6, 8])])
    assert spends(place) == {1: 10.0, 2: 20.0, 3: 3.0, 4: 41.0}
    writer.update(served, [rows([3], [30.0], at=9)], loaded="c", as_of=9)
    assert spends(place) == {1: 10.0, 2: 20.0, 3: 30.0, 4: 41.0}
    assert keys(writer) == ["state", "values_1", "version"]


def test_lost_rows_are_noticed(writer: RedisWriter) -> None:
    """A server that evicted or lost values holds no known state: the next run writes all of them."""
    writer.replace(schema(), [rows([1], [10.0])], loaded="a", as_of=0)
    writer.client.delete(writer.names.values(1))
    served = writer.served("taste")
    assert served is not None
    assert served.loaded is None
    writer.client.delete(writer.names.state, writer.names.version)
    assert writer.served("taste") is None


def test_a_reader_notices_each_move(writer: RedisWriter, place: RedisPlace) -> None:
    """What it knows of the state is never older than what it reads, also where nothing is fetched."""
    database = RedisDatabase(place)
    with pytest.raises(LimnerError, match="limner materialize START END"):
        database.check()
    writer.replace(schema(), [rows([1], [10.0])], loaded="a", as_of=0)
    assert database.read(lambda snapshot: snapshot.served()["taste"].schema.fingerprint) == "f1"
    writer.replace(schema("taste", "f2"), [rows([1], [11.0])], loaded="b", as_of=0)
    assert database.read(lambda snapshot: snapshot.served()["taste"].schema.fingerprint) == "f2"
    assert values(database)[1][1] == values(open_database(place))[1][1]
    writer.drop(["taste"])
    assert database.read(lambda snapshot: snapshot.served()) == {}
    assert keys(writer) == ["state", "version"]


def test_readers_see_whole_updates_while_a_writer_works(writer: RedisWriter, place: RedisPlace) -> None:
    """Threads that share one reader see one state at any time, over two views."""
    users = list(range(120))
    for view in ("taste", "basics"):
        writer.replace(schema(view), [rows(users, [0.0] * 120, at=0)], loaded="0", as_of=0)
    reader = open_database(place)
    seen: list[set[object]] = []
    stop = threading.Event()

    def of_one_state(snapshot: Any) -> set[object]:
        found = set()
        for view in ("taste", "basics"):
            generation = snapshot.served()[view]
            wanted = [generation.schema.encode((user,)) for user in users]
            for _, value in snapshot.fetch(generation, wanted).values():
                found.add(generation.schema.layout.get(value, 0) if view == "taste" else "other view")
        return found

    def read() -> None:
        while not stop.is_set():
            seen.append(reader.read(of_one_state))

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for step in range(1, 15):
        served = writer.served("taste")
        assert served is not None
        batch = rows(users, [float(step)] * 120, at=step)
        if step % 5:
            writer.update(served, [batch], loaded=str(step), as_of=step)
        else:
            writer.replace(schema("taste", f"f{step}"), [batch], loaded=str(step), as_of=step)
    stop.set()
    for thread in threads:
        thread.join()
    assert seen
    assert all(len(each) == 2 for each in seen)


def test_the_direct_reader_opens_a_project(tmp_path: Path, place: RedisPlace, writer: RedisWriter) -> None:
    """`limner.Store` takes the server from feature_store.yaml; profiles join their views."""
    writer.replace(schema(), [rows([1, 2], [10.0, None], at=7)], loaded="a", as_of=86_400_000_000)
    writer.replace(schema("more"), [rows([1], [5.0], at=7)], loaded="a", as_of=0)
    writer.set_profiles({"all": {"taste": ["spend", "top"], "more": ["spend"]}})
    (tmp_path / "feature_store.yaml").write_text(
        f"project: p\nonline_store: {{type: {REDIS_TYPE}, url: '{place.url}', prefix: '{place.prefix}'}}\n"
    )
    store = limner.Store(tmp_path)
    wanted = {"user_id": 1, "taste__spend": 10.0, "top": ["t1"], "more__spend": 5.0}
    assert store.profile("all", 1) == wanted
    assert store.read("all", [1, 9]).to_pylist()[0] == wanted
    assert store.profile("all", 9) is None
    assert [(view.name, view.entities) for view in store.views()] == [("more", 1), ("taste", 2)]
    assert store.similar("taste", "taste", 1)[0].key == (2,)


def test_an_unreachable_server_is_one_message() -> None:
    """The place without its password, the reason, and what to do."""
    with pytest.raises(LimnerError, match=r"redis://user:\*\*\*@127\.0\.0\.1:9/0 .*see that it runs") as caught:
        open_database(RedisPlace("redis://user:secret@127.0.0.1:9/0", "p")).check()
    assert "secret" not in str(caught.value)
