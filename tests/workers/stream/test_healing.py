"""After a run what is online is what the history says, whatever somebody has put there; live rows are not undone."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.benchmarks.valkey import valkey
from limner.workers.differences import Differences
from limner.workers.history.manifest import History
from limner.workers.online.database import Generation
from limner.workers.online.healing import heal
from limner.workers.online.loading import load, state_of
from limner.workers.online.locate import Place, RedisPlace
from limner.workers.online.opening import open_database, open_writer
from limner.workers.online.redis_state import STAMP, Names, connect
from limner.workers.stream.unwritten import unwritten
from tests.oracle.profiles import many
from tests.workers.stream.world import BEGIN, SECOND, World, click, raw, visit

VIEWS = ("now", "short")
FAR = 4_000_000_000 * SECOND
Row = tuple[int, bytes]
Put = Callable[[str, int, Row | None], None]


@dataclass
class Shop:
    """A world whose worker has rows of users 1 and 2 that no history has yet; 3 and 4 it has none of."""

    world: World
    put: Put

    def rows(self, view: str) -> dict[int, Row]:
        """What is online, by user."""
        database = open_database(self.world.place)

        def read(snapshot: Any) -> dict[int, Row]:
            generation = snapshot.served()[view]
            return {generation.schema.decode(key)[0]: row for key, *row in snapshot.scan(generation)}

        found = database.read(read)
        database.close()
        return {user: (row[0], row[1]) for user, row in found.items()}

    def heal(self, view: str) -> Differences:
        """As a run does it that began, and ended, when the history ends."""
        plan = self.world.plan(view)
        history, database = History(plan.folder / plan.fingerprint), open_database(self.world.place)
        (_, until), now = history.coverage() or (0, 0), self.world.now
        with open_writer(self.world.place) as writer:
            found = heal(
                writer,
                database,
                plan,
                history,
                begun=until,
                now=now,
                unwritten=lambda: unwritten(self.world.plan(view)),
            )
        database.close()
        return found


def sqlite_put(place: Place) -> Put:
    """Writes a row past all that is Limner's; None deletes it."""

    def put(view: str, user: int, row: Row | None) -> None:
        with open_writer(place) as writer:
            generation = served(writer.served(view))
            execute = writer.database.connection().execute  # type: ignore[attr-defined]
            key = generation.schema.encode([user])
            execute(f"DELETE FROM {generation.table} WHERE key = ?", (key,))
            if row is not None:
                execute(f"INSERT INTO {generation.table}(key, event_ts, value) VALUES (?, ?, ?)", (key, *row))

    return put


def redis_put(place: RedisPlace) -> Put:
    """The same in Redis."""

    def put(view: str, user: int, row: Row | None) -> None:
        client = connect(place)
        with open_writer(place) as writer:
            generation = served(writer.served(view))
        name, key = Names(place.prefix).values(generation.id), generation.schema.encode([user])
        if row is None:
            client.hdel(name, key)  # type: ignore[arg-type]
        else:
            client.hset(name, key, STAMP.pack(row[0]) + row[1])  # type: ignore[arg-type]
        client.close()

    return put


def served(found: Generation | None) -> Generation:
    assert found is not None
    return found


def opened(root: Path, place: Place | None, put: Callable[[Any], Put]) -> Iterator[Shop]:
    world = World(root)
    world.place = place if place is not None else world.place  # type: ignore[assignment]
    world.now = BEGIN + SECOND
    world.materialize()
    with world.worker() as worker:
        world.now += SECOND
        worker.step([raw("clicks", click(n, user=n, at=1.5, amount=10 * n)) for n in range(1, 5)])
        worker.send()
        world.now += SECOND
        world.materialize()
        assert worker.flush()
        world.now += SECOND
        more = [raw("clicks", click(10 + n, user=n, at=3.5, kind="a")) for n in (1, 2)]
        worker.step([*more, raw("visits", visit(1, user=1, at=2))])
        worker.send()
        yield Shop(world, put(world.place))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    yield from opened(tmp_path_factory.mktemp("shop"), None, sqlite_put)


@pytest.fixture(scope="module")
def valkey_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with valkey() as port:
        place = RedisPlace(f"redis://127.0.0.1:{port}/0", f"test:{uuid.uuid4().hex}")
        yield from opened(tmp_path_factory.mktemp("valkey"), place, redis_put)


@pytest.fixture(params=["sqlite", pytest.param("valkey", marks=pytest.mark.integration)])
def either(request: pytest.FixtureRequest) -> Shop:
    found: Shop = request.getfixturevalue("shop" if request.param == "sqlite" else "valkey_shop")
    return found


def test_where_nobody_has_meddled_nothing_is_written(either: Shop) -> None:
    """Also of the entities whose newest rows only the worker has."""
    for view in VIEWS:
        before = either.rows(view)
        assert len(before) == 5
        told = either.heal(view)
        assert (told.none, told.compared) == (True, 5)
        assert either.rows(view) == before


def test_what_was_changed_deleted_or_added_is_put_right_and_told(either: Shop) -> None:
    """Values that somebody else put there, of entities that have no new rows."""
    before = either.rows("short")
    either.put("short", 3, (before[3][0], before[4][1]))
    either.put("short", 4, None)
    either.put("short", 777, before[3])
    told = either.heal("short")
    assert (dict(told.features), told.missing, told.strange, told.rows) == ({"most": 1}, 1, 1, 3)
    example = told.examples["most"]
    assert (example.entity, example.found, example.right) == ({"user_id": 3}, 40.0, 30.0)
    assert either.rows("short") == before
    assert either.heal("short").none


def test_a_row_of_the_future_that_would_stop_all_that_follows_goes(either: Shop) -> None:
    before = either.rows("short")
    either.put("short", 3, (FAR, before[3][1]))
    either.put("short", 778, (FAR, b"\x01nonsense"))
    told = either.heal("short")
    assert (dict(told.features), told.missing, told.strange) == ({"event_timestamp": 1}, 0, 1)
    assert either.rows("short") == before


def test_a_row_of_the_future_goes_where_only_the_worker_has_the_right_one(either: Shop) -> None:
    """An older row never replaces a newer one: this entity would never change again."""
    before = either.rows("now")
    either.put("now", 1, (FAR, before[1][1]))
    assert dict(either.heal("now").features) == {"event_timestamp": 1}
    assert either.rows("now") == before


def test_a_stranger_goes_where_a_row_is_missing_that_only_the_worker_has(either: Shop) -> None:
    """There are as many rows as there should be."""
    before = either.rows("now")
    either.put("now", 1, None)
    either.put("now", 777, before[3])
    assert either.heal("now").strange == 1
    assert either.rows("now") == before


def test_damaged_values_are_put_right(either: Shop) -> None:
    """Bytes that are no packed value at all."""
    before = either.rows("now")
    either.put("now", 3, (before[3][0], b"\x07"))
    told = either.heal("now")
    assert told.rows == 1
    assert either.rows("now") == before


def test_what_is_newer_than_the_history_waits_for_the_next_run(shop: Shop) -> None:
    """Somebody may know more than the run: rows that were pushed."""
    before = shop.rows("short")
    shop.put("short", 3, (shop.world.now, before[4][1]))
    assert shop.heal("short").none
    assert shop.rows("short")[3] == (shop.world.now, before[4][1])
    shop.put("short", 3, before[3])


def test_many_strangers_of_a_view_with_text_keys() -> None:
    """Codes tell keys apart, whatever they are made of."""
    from limner.workers.online.healing import codes
    from limner.workers.online.schema import ViewSchema

    for kind in ("string", "int"):
        schema = ViewSchema("v", "f", (("k", kind),), ())  # type: ignore[arg-type]
        keys = [schema.encode([str(n) if kind == "string" else n]) for n in range(-500, 500)]
        assert len(set(codes(schema, keys).tolist())) == 1000


meddling = st.tuples(
    st.sampled_from(VIEWS),
    st.sampled_from([1, 2, 3, 4, 99, 5000]),
    st.sampled_from(["delete", "value", "older", "newest", "future", "damage"]),
    st.sampled_from([1, 2, 3, 4]),
)


@many(25)
@given(st.lists(meddling, min_size=1, max_size=6))
def test_whatever_somebody_does_the_truth_is_online_again(shop: Shop, done: list[tuple[str, int, str, int]]) -> None:
    """Brute force over the events says what must be there, also where only the worker has the newest row."""
    truth = {view: shop.rows(view) for view in VIEWS}
    for view, user, what, other in done:
        rows = shop.rows(view)
        at, value = rows.get(user, (BEGIN, truth[view][other][1]))
        row = {
            "delete": None,
            "value": (at, truth[view][other][1]),
            "older": (at - SECOND, value),
            "newest": (at, value),
            "future": (FAR, value),
            "damage": (at, value[:-1]),
        }[what]
        shop.put(view, user, row)
    told = {view: shop.heal(view) for view in VIEWS}
    for view in VIEWS:
        assert shop.rows(view) == truth[view]
        assert told[view].rows <= len(done)
        assert shop.heal(view).none
    shop.world.check(max(row[0] for row in truth["now"].values()))


def test_rows_that_a_worker_took_while_the_run_read_its_files_are_not_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history covers their instants and knows nothing of them; the worker will put them in."""
    for shop in opened(tmp_path, None, sqlite_put):
        truth = shop.rows("short")
        monkeypatch.setattr("limner.workers.run.settle", lambda *_: None)
        shop.world.now += SECOND
        shop.world.materialize()
        before = shop.rows("short")
        assert {user: before[user] for user in (1, 2)} == {user: truth[user] for user in (1, 2)}
        shop.put("short", 1, (before[1][0], before[3][1]))
        shop.put("short", 3, (before[3][0], before[4][1]))
        assert dict(shop.heal("short").features) == {"most": 2, "some": 1}
        assert shop.rows("short") == before


def test_rows_that_a_server_lost_are_found_without_writing_all(valkey_shop: Shop) -> None:
    """A run that will look at every row takes the server by its word."""
    world, before = valkey_shop.world, valkey_shop.rows("short")
    plan = world.plan("short")
    history, database = History(plan.folder / plan.fingerprint), open_database(world.place)
    valkey_shop.put("short", 4, None)
    recorded = database.read(lambda snapshot: snapshot.served()["short"])
    database.close()
    with open_writer(world.place) as writer:
        assert served(writer.served("short")).loaded is None
        assert load(writer, plan, history, state_of(history), iter(()), recorded=recorded) == 0
        assert valkey_shop.heal("short").missing == 1
        assert (served(writer.served("short")).id, valkey_shop.rows("short")) == (recorded.id, before)
        assert served(writer.served("short")).loaded == recorded.loaded
