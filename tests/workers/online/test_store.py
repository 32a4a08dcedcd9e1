"""`limner.Store`: profiles without Feast."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import limner
from limner.language.errors import LimnerError
from limner.workers.online.pack import Column
from limner.workers.online.schema import ViewSchema
from limner.workers.online.writer import OnlineWriter
from tests.workers.online.profiles import STAMP, rows, schema

BASICS = ViewSchema("basics", "b1", (("user_id", "int"),), (Column("age", "string"), Column("spend", "float")))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "data" / "online.db"
    writer = OnlineWriter(made)
    writer.replace(schema(), [rows([1, 2, 3, 4], [10.0, None, 30.0, 40.0], at=7)], loaded="a", as_of=86_400_000_000)
    basics = pa.record_batch(
        {"user_id": [1, 5], "age": ["20-29", None], "spend": [0.5, 0.6], "event_timestamp": pa.array([0, 0], STAMP)}
    )
    writer.replace(BASICS, [basics], loaded="a", as_of=0)
    writer.set_profiles({"all": {"taste": ["spend", "top"], "basics": ["age", "spend"]}, "lost": {"nowhere": ["x"]}})
    writer.database.close()
    return made


@pytest.fixture
def store(path: Path) -> Iterator[limner.Store]:
    made = limner.Store(path)
    yield made
    made.close()


def test_rows_come_in_the_order_of_the_keys(store: limner.Store) -> None:
    """Repeated keys repeat, unknown keys are rows of nulls."""
    table = store.read("taste", [3, 99, 1, 3], ["spend"])
    assert table.column_names == ["user_id", "spend", "event_timestamp"]
    assert table.column("user_id").to_pylist() == [3, 99, 1, 3]
    assert table.column("spend").to_pylist() == [30.0, None, 10.0, 30.0]
    assert table.column("event_timestamp").cast(pa.int64()).to_pylist() == [7, None, 7, 7]


def test_arrays_are_made_of_what_is_asked_for(store: limner.Store) -> None:
    """Null is NaN, NaT or None, as in Arrow's `to_numpy`; vectors are one matrix."""
    arrays = store.arrays("taste", [3, 99, 2])
    assert list(arrays) == ["spend", "top", "taste", "event_timestamp"]
    np.testing.assert_array_equal(arrays["taste"], np.array([[1, 3], [np.nan] * 2, [1, 2]], dtype=np.float32))
    np.testing.assert_array_equal(arrays["spend"], [30.0, np.nan, np.nan])
    np.testing.assert_array_equal(arrays["event_timestamp"], np.array([7, "NaT", 7], dtype="datetime64[us]"))
    assert [each if each is None else list(each) for each in arrays["top"]] == [["t3"], None, ["t2"]]
    assert arrays["taste"].flags.aligned
    assert arrays["taste"].dtype == np.float32
    with pytest.raises(KeyError):
        arrays["visits"]
    with pytest.raises(LimnerError, match="Arrow table"):
        store.arrays("all", [1])


def test_a_profile_joins_its_views(store: limner.Store) -> None:
    """A name that two views share is told apart; a view that does not know the entity gives nulls."""
    assert store.profile("all", 1) == {
        "user_id": 1,
        "taste__spend": 10.0,
        "top": ["t1"],
        "age": "20-29",
        "basics__spend": 0.5,
    }
    assert store.profile("all", {"user_id": "5"}) == {
        "user_id": 5,
        "taste__spend": None,
        "top": None,
        "age": None,
        "basics__spend": 0.6,
    }
    assert store.profile("all", 77) is None
    table = store.read("all", {"user_id": [1, 77]})
    assert table.to_pylist()[0] == store.profile("all", 1)
    assert set(table.to_pylist()[1].values()) == {77, None}


def test_a_profile_stays_readable_while_its_new_definition_is_computed(path: Path, store: limner.Store) -> None:
    """A feature and a view that are declared but not computed are null; the rest is served."""
    writer = OnlineWriter(path)
    writer.set_profiles({"all": {"taste": ["spend", "visits"], "newcomer": ["x"]}})
    writer.database.close()
    assert store.profile("all", 1) == {"user_id": 1, "spend": 10.0, "visits": None, "x": None}
    assert store.read("all", [1]).to_pylist() == [store.profile("all", 1)]


def test_neighbours_are_nearest_first_without_oneself(store: limner.Store) -> None:
    """Vectors (1, user): the direction of 2 is nearer to 3 than to 1."""
    found = store.similar("taste", "taste", 2, k=2)
    assert [neighbour.key for neighbour in found] == [(3,), (4,)]
    assert found[0].similarity == pytest.approx(7 / (5**0.5 * 10**0.5))


def test_views_tell_what_is_served(store: limner.Store) -> None:
    """Names, keys, features, how many entities, and up to when."""
    basics, taste = store.views()
    assert (taste.name, taste.keys, taste.features, taste.entities) == (
        "taste",
        ("user_id",),
        ("spend", "top", "taste"),
        4,
    )
    assert str(taste.as_of) == "1970-01-02 00:00:00+00:00"
    assert basics.fingerprint == "b1"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda s: s.read("tast", [1]), "no view or profile 'tast' online: did you mean 'taste'"),
        (lambda s: s.read("taste", [1], ["spent"]), "no feature 'spent': did you mean 'spend'"),
        (lambda s: s.read("taste", ["one"]), "join key 'user_id' of view 'taste' is an integer, not 'one'"),
        (lambda s: s.read("taste", [1.5]), "is an integer, not 1.5"),
        (lambda s: s.read("taste", [Decimal("1.5")]), "is an integer, not Decimal('1.5')"),
        (lambda s: s.read("taste", [(1, 2)]), "keyed by user_id: give 1"),
        (lambda s: s.read("taste", [{"user": 1}]), "needs join key 'user_id'; given: user"),
        (lambda s: s.profile("lost", 1), "no view of profile 'lost' has online values yet"),
        (lambda s: s.similar("taste", "spend", 1), "'spend' of 'taste' is not a vector; there is taste"),
        (lambda s: s.similar("taste", "taste", 9), "user_id 9 has no 'taste' in 'taste'"),
    ],
)
def test_a_mistake_names_what_there_is(store: limner.Store, ask: object, message: str) -> None:
    """Every wrong name or key gives one message with the nearest right one."""
    with pytest.raises(LimnerError) as caught:
        ask(store)  # type: ignore[operator]
    assert message in str(caught.value)


def test_keys_of_several_columns(tmp_path: Path) -> None:
    """A key of a string and an integer is found whatever the string holds."""
    both = ViewSchema("pairs", "p", (("shop", "string"), ("user_id", "int")), (Column("n", "int"),))
    writer = OnlineWriter(tmp_path / "x.db")
    shops = ["", "a", "a\0", "é 😀"]
    batch = pa.record_batch(
        {"shop": shops, "user_id": [1, 1, 1, -1], "n": [1, 2, 3, 4], "event_timestamp": pa.array([0] * 4, STAMP)}
    )
    writer.replace(both, [batch], loaded="a", as_of=0)
    store = limner.Store(tmp_path / "x.db")
    keys = [*zip(shops, [1, 1, 1, -1], strict=True), ("a", 2)]
    assert store.read("pairs", keys).column("n").to_pylist() == [1, 2, 3, 4, None]
    assert store.read("pairs", {"user_id": [-1], "shop": ["é 😀"]}).column("n").to_pylist() == [4]


def test_a_project_folder_leads_to_its_store(path: Path) -> None:
    """The path in feature_store.yaml is relative to that file; another store is named in the error."""
    root = path.parent.parent
    repo = root / "feature_repo"
    repo.mkdir()
    config = repo / "feature_store.yaml"
    config.write_text("online_store: {type: limner.feature_repo.online_store.LimnerOnlineStore}")
    assert limner.Store(root).profile("taste", 1) is not None
    assert limner.Store(repo).profile("taste", 1) is not None
    config.write_text("online_store: {type: redis}")
    with pytest.raises(LimnerError, match="'redis', which only Feast reads"):
        limner.Store(root)
    with pytest.raises(LimnerError, match="not a Limner project"):
        limner.Store(path.parent / "elsewhere")


def test_reading_imports_neither_feast_nor_ray_nor_torch(path: Path) -> None:
    """A service that only reads profiles starts fast."""
    code = (
        f"import limner, sys; assert limner.Store({str(path)!r}).profile('all', 1);"
        "print([m for m in ('feast', 'ray', 'torch', 'duckdb', 'pandas', 'sqlmodel') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
