"""Other online stores, by configuration: a real Valkey through Feast's Redis store and through ours, Feast's SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from limner.benchmarks.valkey import valkey as valkey_server
from limner.language.errors import LimnerError
from limner.workers.online.locate import REDIS_TYPE
from tests.integration.feast_project import (
    DAY,
    FIRST,
    SPECS,
    Event,
    apply,
    events,
    expected,
    history_is_right,
    in_seconds,
    make_project,
    online,
    write_events,
)

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.xdist_group("stores"),
    pytest.mark.usefixtures("in_process"),
]
ROWS = events(count=600, users=20, days=40, seed=4)
USERS = list(range(1, 23))


@pytest.fixture(scope="module", name="valkey")
def valkey_port() -> Iterator[int]:
    """A real Valkey; gives its port."""
    with valkey_server() as port:
        yield port


@pytest.mark.parametrize("kind", ["redis", "sqlite", "ours"])
def test_the_same_values_come_back(kind: str, tmp_path: Path, in_process: None, valkey: int) -> None:
    """Runs, corrections at equal timestamps, a new definition: what the store answers is brute force, each time."""
    stores = {
        "redis": f"{{type: redis, connection_string: '127.0.0.1:{valkey}'}}",
        "sqlite": "{type: sqlite, path: ../data/stock.db}",
        "ours": f"{{type: {REDIS_TYPE}, url: 'redis://127.0.0.1:{valkey}/1'}}",
    }
    repo = make_project(tmp_path, ROWS, online=stores[kind])
    store = apply(repo)

    def is_right(rows: list[Event], day: int) -> None:
        wanted = [in_seconds(expected(rows, user, FIRST + day * DAY)) for user in USERS]
        assert online(store, USERS) == wanted

    store.materialize(FIRST, FIRST + 20 * DAY)
    is_right(ROWS, 20)
    store.materialize_incremental(FIRST + 30 * DAY)
    is_right(ROWS, 30)
    late = [Event(user, FIRST + 29.5 * DAY, 1000.0, "late") for user in USERS[:5]]
    write_events(tmp_path, "b", late)
    rows = sorted([*ROWS, *late], key=lambda event: event.at)
    store.materialize(FIRST, FIRST + 30 * DAY)
    is_right(rows, 30)
    history_is_right(store, [(user, FIRST + 30 * DAY) for user in USERS], rows)
    (tmp_path / "specs" / "shop.yaml").write_text(SPECS.replace("entity: user\nevent", "entity: user\nlag: 1m\nevent"))
    store = apply(repo)
    store.materialize_incremental(FIRST + 31 * DAY)
    lagged = [row for row in rows if row.at + DAY / 1440 <= FIRST + 31 * DAY]
    is_right(lagged, 31)


def test_an_unreachable_store_is_one_message(tmp_path: Path, in_process: None) -> None:
    """Nothing listens: the run fails with the store's reason, and the watermark stays."""
    repo = make_project(tmp_path, ROWS, online="{type: redis, connection_string: '127.0.0.1:9'}")
    store = apply(repo)
    with pytest.raises(LimnerError, match=r"online store \(redis\) failed: .*127\.0\.0\.1:9"):
        store.materialize(FIRST, FIRST + 20 * DAY)
    assert store.get_feature_view("activity").materialization_intervals == []


def test_null_integers_and_large_ones_survive(tmp_path: Path, in_process: None) -> None:
    """Feast's conversion by way of NumPy would make floats of them."""
    specs = SPECS.replace(
        "dear: {max: big}", "dear: {max: big}\n  odd: {sum: n, over: 7d, where: n > 0}\n  top: {max: n}"
    )
    repo = make_project(tmp_path, [], online="{type: sqlite, path: ../data/stock.db}", specs=specs)
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table(
        {
            "user_id": [1, 2],
            "at": pa.array([FIRST, FIRST], pa.timestamp("us", tz="UTC")),
            "amount": [1.0, 2.0],
            "kind": ["a", "b"],
            "big": [None, True],
            "n": pa.array([2**60 + 1, None], pa.int64()),
        }
    )
    pq.write_table(table, tmp_path / "events" / "a.parquet")
    store = apply(repo)
    store.materialize(FIRST, FIRST + DAY)
    answer = store.get_online_features(["activity:top", "activity:dear"], [{"user_id": 1}, {"user_id": 2}]).to_dict()
    assert answer["top"] == [2**60 + 1, None]
    assert answer["dear"] == [None, True]
