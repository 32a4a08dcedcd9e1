"""Point-in-time joins through Feast: rows and their order stay, and each value is the one that held at its instant."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.infra.offline_stores.file_source import SavedDatasetFileStorage
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64
from feast.value_type import ValueType

from limner.language.errors import LimnerError
from tests.feature_repo.handmade import DAY, USER, history_rows, repository, view, write_history

SPEND = ["shopping:spend"]
pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("offline_store")]


@pytest.fixture(scope="module")
def rows() -> list[tuple[int, int, float | None]]:
    """300 users; instants on a coarse grid, so that entity rows often meet them exactly."""
    generator = np.random.default_rng(3)
    found = {}
    for _ in range(3000):
        key = (int(generator.integers(0, 300)), int(generator.integers(1, 400)) * DAY // 10)
        found[key] = None if generator.random() < 0.1 else float(generator.normal())
    return sorted((user, at, value) for (user, at), value in found.items())


@pytest.fixture(scope="module")
def store(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, float | None]]
) -> Iterator[FeatureStore]:
    root = tmp_path_factory.mktemp("project") / "it's a [shop] ?"
    made = repository(root)
    middle, end = 20 * DAY, 40 * DAY
    base = history_rows([row for row in rows if row[1] <= DAY])
    # Rows beyond a segment's bounds are in its file and must not be seen: a later segment replaced them.
    lure = [(user, at, -1.0) for user in range(300) for at in (middle + 1, DAY - 5)]
    first = history_rows([row for row in rows if DAY < row[1] <= middle] + lure)
    second = history_rows([row for row in rows if middle < row[1] <= end])
    write_history(root, "shopping", [(DAY, middle, first), (middle, end, second)], base)
    write_history(root, "browsing", [(0, end, history_rows([(1, 5, 0.5), (2, 7, 0.7)]))])
    made.apply([USER, view("shopping"), view("browsing"), view("empty")])
    yield made
    made.teardown()


def as_of(rows: list[tuple[int, int, float | None]], user: object, at: int) -> float | None:
    """Brute force."""
    known = [row for row in rows if row[0] == user and row[1] <= at]
    return max(known, key=lambda row: row[1])[2] if known else None


def moments(micros: Any) -> Any:
    return pd.to_datetime(np.asarray(micros), unit="us", utc=True)


def plain(values: Any) -> list[Any]:
    return [None if value is None or pd.isna(value) else value for value in list(values)]


def test_every_row_gets_the_value_of_its_instant(
    store: FeatureStore, rows: list[tuple[int, int, float | None]]
) -> None:
    """5,000 entity rows, repeated, unsorted, many exactly at a change, some before the first: all as by brute force."""
    generator = np.random.default_rng(5)
    users = generator.integers(0, 320, 5000)
    instants = generator.integers(0, 420, 5000) * (DAY // 10) - generator.integers(0, 2, 5000)
    frame = pd.DataFrame({"label": np.arange(5000), "user_id": users, "event_timestamp": moments(instants)})
    got = store.get_historical_features(frame, SPEND).to_df()
    assert list(got.columns) == ["label", "user_id", "event_timestamp", "spend"]
    assert got["label"].tolist() == list(range(5000))
    expected = [as_of(rows, user, at) for user, at in zip(users, instants.tolist(), strict=True)]
    assert plain(got["spend"]) == expected


def test_odd_frames_keep_their_rows(store: FeatureStore, rows: list[tuple[int, int, float | None]]) -> None:
    """A repeated index, null keys, naive instants, extra columns and another column order change nothing."""
    at = datetime(1970, 1, 15, 12)
    frame = pd.DataFrame(
        {
            "when": [at, at, at, at],
            "note": ["a", None, "a", "b"],
            "user_id": pd.array([7, None, 7, 9], dtype="Int64"),
            "weird name; --": [{"x": 1}] * 4,
        },
        index=[5, 5, 0, 5],
    )
    got = store.get_historical_features(frame, ["shopping:city", "shopping:spend"]).to_df()
    micros = int(at.replace(tzinfo=UTC).timestamp()) * 1_000_000
    assert plain(got["spend"]) == [as_of(rows, user, micros) for user in (7, None, 7, 9)]
    assert got["note"].tolist() == ["a", None, "a", "b"]
    assert got["city"][1] is None
    assert frame.index.tolist() == [5, 5, 0, 5]


def test_float_and_small_integer_keys_are_read_as_keys(store: FeatureStore) -> None:
    """pandas turns an integer key with a hole into floats; a fraction or a text is an error."""
    when = moments([30 * DAY] * 3)
    exact = store.get_historical_features(pd.DataFrame({"user_id": [7, 8, 9], "event_timestamp": when}), SPEND).to_df()
    for kind in ("float64", "int32", "object"):
        frame = pd.DataFrame({"user_id": pd.Series([7, 8, 9]).astype(kind), "event_timestamp": when})
        assert plain(store.get_historical_features(frame, SPEND).to_df()["spend"]) == plain(exact["spend"])
    for bad in ([7.5, 8, 9], ["7", "8", "9"]):
        with pytest.raises(LimnerError, match="join key 'user_id' of the entity rows"):
            store.get_historical_features(pd.DataFrame({"user_id": bad, "event_timestamp": when}), SPEND)


def test_instants_finer_than_microseconds_and_in_other_zones(store: FeatureStore) -> None:
    """One nanosecond before a change still has the value before it; 02:00 in Paris is 01:00 in winter."""
    frame = pd.DataFrame({"user_id": [1, 1], "event_timestamp": pd.to_datetime([4_999, 5_000], unit="ns", utc=True)})
    assert plain(store.get_historical_features(frame, ["browsing:spend"]).to_df()["spend"]) == [None, 0.5]
    paris = pd.to_datetime(["1970-01-01 01:00:00.000005"]).tz_localize("Europe/Paris")
    frame = pd.DataFrame({"user_id": [1], "event_timestamp": paris})
    assert plain(store.get_historical_features(frame, ["browsing:spend"]).to_df()["spend"]) == [0.5]


def test_views_side_by_side_with_full_names(store: FeatureStore) -> None:
    """Two views that share a feature name are told apart, and neither loses rows to the other."""
    frame = pd.DataFrame({"user_id": [1, 2, 3], "event_timestamp": moments([20 * DAY] * 3)})
    refs = ["browsing:spend", "shopping:spend", "browsing:taste"]
    got = store.get_historical_features(frame, refs, full_feature_names=True).to_df()
    assert list(got.columns[2:]) == ["browsing__spend", "browsing__taste", "shopping__spend"]
    assert plain(got["browsing__spend"]) == [0.5, 0.7, None]
    assert [None if v is None else list(v) for v in got["browsing__taste"]] == [[2.0, 1.0], [1.0, 1.0], None]


def test_a_view_without_history_gives_typed_nulls_and_says_so(store: FeatureStore) -> None:
    """Before the first run a training set has the right columns, no values, and a warning."""
    frame = pd.DataFrame({"user_id": [1], "event_timestamp": moments([DAY])})
    job = store.get_historical_features(frame, ["empty:orders", "empty:taste"])
    with pytest.warns(UserWarning, match="'empty' has no history yet"):
        table = job.to_arrow()
    assert table.schema.field("orders").type == pa.int64()
    assert table.schema.field("taste").type == pa.list_(pa.float32())
    assert table.column("orders").to_pylist() == [None]


def test_asking_beyond_the_last_run_warns(store: FeatureStore) -> None:
    """An instant that no run has reached gets the values of the last one, and a warning names the remedy."""
    frame = pd.DataFrame({"user_id": [1], "event_timestamp": moments([41 * DAY])})
    with pytest.warns(UserWarning, match="complete up to 1970-02-10 00:00:00 UTC"):
        store.get_historical_features(frame, SPEND).to_df()


def test_no_entity_rows_at_all(store: FeatureStore) -> None:
    """An empty DataFrame gives an empty answer with all its columns."""
    frame = pd.DataFrame({"user_id": pd.Series([], dtype="int64"), "event_timestamp": moments([])})
    got = store.get_historical_features(frame, SPEND).to_df()
    assert list(got.columns) == ["user_id", "event_timestamp", "spend"]
    assert len(got) == 0


def test_a_range_instead_of_entity_rows(store: FeatureStore, rows: list[tuple[int, int, float | None]]) -> None:
    """Without entity rows: each entity at each instant of the range at which it changes."""
    start, end = datetime(1970, 1, 10, tzinfo=UTC), datetime(1970, 1, 12, tzinfo=UTC)
    got = store.get_historical_features(None, SPEND, start_date=start, end_date=end).to_df()
    low, high = (int(moment.timestamp()) * 1_000_000 for moment in (start, end))
    expected = sorted((user, at) for user, at, _ in rows if low < at <= high)
    micros = (got["event_timestamp"] - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(microseconds=1)
    assert list(zip(got["user_id"], micros, strict=True)) == expected
    assert plain(got["spend"]) == [as_of(rows, user, at) for user, at in expected]


def test_aliased_entities(store: FeatureStore) -> None:
    """A view joined twice under two names, by two columns of the entity rows."""
    service_views = [
        store.get_feature_view("browsing").with_name("giver").with_join_key_map({"user_id": "giver_id"})[["spend"]],
        store.get_feature_view("browsing").with_name("taker").with_join_key_map({"user_id": "taker_id"})[["spend"]],
    ]
    from feast import FeatureService

    service = FeatureService(name="pairs", features=service_views)
    store.apply([service])
    frame = pd.DataFrame({"giver_id": [1, 2], "taker_id": [2, 1], "event_timestamp": moments([DAY, DAY])})
    got = store.get_historical_features(frame, store.get_feature_service("pairs"), full_feature_names=True).to_df()
    assert plain(got["giver__spend"]) == [0.5, 0.7]
    assert plain(got["taker__spend"]) == [0.7, 0.5]


def test_on_demand_views_are_applied(store: FeatureStore) -> None:
    """A value that moves with the clock is finished by Feast on top of the join."""

    @on_demand_feature_view(
        sources=[store.get_feature_view("browsing")], schema=[Field(name="doubled", dtype=Float64)], mode="pandas"
    )
    def doubling(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"doubled": inputs["spend"] * 2})

    store.apply([doubling])
    frame = pd.DataFrame({"user_id": [1, 2], "event_timestamp": moments([DAY, DAY])})
    got = store.get_historical_features(frame, ["doubling:doubled"]).to_df()
    assert got["doubled"].tolist() == [1.0, 1.4]


def test_saved_data_sets(store: FeatureStore, tmp_path: Path) -> None:
    """A training set is saved whole, read back by Feast, and not overwritten unasked."""
    frame = pd.DataFrame({"user_id": [1, 2], "event_timestamp": moments([DAY, DAY])})
    path = tmp_path / "out" / "set.parquet"
    job = store.get_historical_features(frame, ["browsing:spend"])
    saved = store.create_saved_dataset(job, "training", SavedDatasetFileStorage(str(path)))
    assert sorted(saved.to_df()["spend"]) == [0.5, 0.7]
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        job.persist(SavedDatasetFileStorage(str(path)))


def test_pull_latest_and_pull_all(store: FeatureStore, rows: list[tuple[int, int, float | None]]) -> None:
    """What Feast's own tools read: the newest row of each entity in a range, or all of them."""
    found = store.get_feature_view("shopping")
    provider = store._get_provider()
    low, high = datetime(1970, 1, 5, tzinfo=UTC), datetime(1970, 1, 25, tzinfo=UTC)
    bounds = [int(moment.timestamp()) * 1_000_000 for moment in (low, high)]
    arguments = (store.config, found.batch_source, ["user_id"], ["spend"], "event_timestamp", None, low, high)
    latest = provider.offline_store.pull_latest_from_table_or_query(*arguments).to_arrow()
    newest = {user: value for user, at, value in rows if bounds[0] < at <= bounds[1]}
    assert dict(zip(*(latest.column(n).to_pylist() for n in ("user_id", "spend")), strict=True)) == newest
    everything = provider.offline_store.pull_all_from_table_or_query(*arguments).to_arrow()
    assert len(everything) == sum(bounds[0] <= at <= bounds[1] for _, at, _ in rows)
    assert everything.column("event_timestamp").type == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ("SELECT * FROM users", "not to an SQL query"),
        (pd.DataFrame({"event_timestamp": moments([1])}), "no column 'user_id'"),
        (pd.DataFrame({"user_id": [1], "when": ["1970"]}), "need a column 'event_timestamp'"),
        (pd.DataFrame({"user_id": [1], "event_timestamp": ["soon"]}), "not a column of instants"),
        (
            pd.DataFrame({"user_id": [1], "event_timestamp": moments([1]), "spend": [1]}),
            "already have a column 'spend'",
        ),
        (
            pd.DataFrame({"user_id": [1], "event_timestamp": moments([1]), "x": [object()]}),
            "mixes types|Could not convert",
        ),
    ],
)
def test_a_wrong_request_is_one_clear_message(store: FeatureStore, frame: Any, message: str) -> None:
    """What is wrong with the entity rows is said before anything is read."""
    with pytest.raises(LimnerError, match=message):
        store.get_historical_features(frame, SPEND).to_df()


def test_rows_cannot_be_pushed_into_a_history(store: FeatureStore) -> None:
    """A pushed row would be lost at the next run; Feast would rewrite files in place."""
    frame = pd.DataFrame({"user_id": [1], "event_timestamp": moments([1]), "spend": [1.0], "orders": [1]})
    frame["city"], frame["taste"] = "x", [[1.0, 2.0]]
    with pytest.raises(LimnerError, match="add them to the source"):
        store.write_to_offline_store("shopping", frame)


def test_a_changed_definition_is_read_when_it_is_complete(tmp_path: Path) -> None:
    """Readers use the served fingerprint alone; a feature it lacks is an error that says what to run."""
    store = repository(tmp_path)
    write_history(tmp_path, "shopping", [(0, DAY, history_rows([(1, 5, 1.0)]).drop_columns(["city"]))])
    store.apply([USER, view("shopping")])
    frame = pd.DataFrame({"user_id": [1], "event_timestamp": moments([10])})
    with pytest.raises(LimnerError, match="'city' of view 'shopping' is declared but not yet computed"):
        store.get_historical_features(frame, ["shopping:city"]).to_df()
    assert plain(store.get_historical_features(frame, SPEND).to_df()["spend"]) == [1.0]
    job = store.get_historical_features(frame, ["shopping:city", "shopping:spend"])
    write_history(tmp_path, "shopping", [(0, DAY, history_rows([(1, 5, 2.0)]))], fingerprint="f2")
    assert job.to_df()[["city", "spend"]].values.tolist() == [["c0", 2.0]]


def test_views_of_plain_parquet_files(tmp_path: Path) -> None:
    """A view that Limner did not make: field mapping, ties by the created timestamp, and a time to live."""
    store = repository(tmp_path)
    at = [pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-03")]
    table = pa.table(
        {"uid": [1, 1, 1], "amount": [1.0, 2.0, 3.0], "ts": at, "made": [at[0], at[2], at[2]]},
    )
    (tmp_path / "data" / "plain").mkdir(parents=True)
    pq.write_table(table, tmp_path / "data" / "plain" / "part.parquet")
    user = Entity(name="u", join_keys=["user"], value_type=ValueType.INT64)
    plain_view = FeatureView(
        name="plain",
        entities=[user],
        ttl=timedelta(days=1),
        schema=[Field(name="user", dtype=Int64), Field(name="spent", dtype=Float64)],
        source=FileSource(
            name="plain_source",
            path="../data/plain",
            timestamp_field="ts",
            created_timestamp_column="made",
            field_mapping={"uid": "user", "amount": "spent"},
        ),
    )
    store.apply([user, plain_view])
    asked = pd.to_datetime(
        ["2025-12-31", "2026-01-01", "2026-01-02", "2026-01-02 00:00:01", "2026-01-03"], format="ISO8601"
    )
    frame = pd.DataFrame({"user": [1] * 5, "event_timestamp": asked})
    got = store.get_historical_features(frame, ["plain:spent"]).to_df()
    assert plain(got["spent"]) == [None, 2.0, 2.0, None, 3.0]


def test_a_part_that_is_replaced_under_a_reader_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that rewrites an interval removes the old files; a reader that saw the old manifest looks again."""
    from limner.workers.history.manifest import History

    store = repository(tmp_path)
    history = write_history(tmp_path, "shopping", [(0, DAY, history_rows([(1, 5, 1.0)]))])
    store.apply([USER, view("shopping")])
    gone = history.parts()
    (history.folder / "s0").rename(history.folder / "s9")
    text = (history.folder / "manifest.json").read_text()
    (history.folder / "manifest.json").write_text(text.replace("s0/", "s9/"))
    looks = iter([gone])
    fresh = History.parts
    monkeypatch.setattr(History, "parts", lambda self: next(looks, None) or fresh(self))
    frame = pd.DataFrame({"user_id": [1], "event_timestamp": moments([10])})
    assert store.get_historical_features(frame, SPEND).to_df()["spend"].tolist() == [1.0]
