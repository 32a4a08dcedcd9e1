"""Request views over online values, without Feast."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import limner
from limner.language.errors import LimnerError
from limner.workers.online.pack import Column
from limner.workers.online.schema import ViewSchema
from limner.workers.online.sqlite import Database
from limner.workers.online.writer import OnlineWriter
from limner.workers.request.program import Age, Calculation, Cosine, Operand, Program, TextEncoder
from tests.workers.online.profiles import STAMP, rows, schema

ENCODER = TextEncoder("tiny", "e1", 2, "", "[]")
LIKES = Column("likes", "float", many=True, dim=2, encoder="e1")
NOTES = ViewSchema("notes", "n1", (("user_id", "int"),), (Column("last", "timestamp"), LIKES))
NOW = Program(
    name="now",
    request=(Column("amount", "float"), Column("now", "timestamp"), Column("query", "string")),
    operands=(
        Operand("notes", LIKES),
        Operand("notes", Column("last", "timestamp")),
        Operand("taste", Column("spend", "float")),
    ),
    features=(Column("above", "bool"), Column("fit", "float"), Column("hours", "float")),
    steps=(
        Calculation("above", "amount > taste.spend", ("amount", "taste.spend")),
        Cosine("fit", "notes.likes", "query", ENCODER),
        Age("hours", "notes.last", "now", 3_600_000_000),
    ),
)
REQUEST = {"amount": 20, "now": "1970-01-01T05:00:00Z", "query": "x"}


def notes(fingerprint: str | None = "e1") -> tuple[ViewSchema, pa.RecordBatch]:
    columns = (NOTES.columns[0], Column("likes", "float", many=True, dim=2, encoder=fingerprint))
    batch = pa.record_batch(
        {
            "user_id": pa.array([1, 7], pa.int64()),
            "last": pa.array([0, 3_600_000_000], pa.int64()).cast(STAMP),
            "likes": pa.array([[1.0, 0.0], [3.0, 4.0]], pa.list_(pa.float32())),
            "event_timestamp": pa.array([0, 0], STAMP),
        }
    )
    return ViewSchema("notes", "n1", (("user_id", "int"),), columns), batch


def encode(encoder: TextEncoder, texts: Sequence[str]) -> list[list[float]]:
    """(1, the number of letters after the first)."""
    return [[1.0, float(len(text) - 1)] for text in texts]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "data" / "online.db"
    writer = OnlineWriter(made)
    writer.replace(schema(), [rows([1, 2, 3], [10.0, None, 30.0])], loaded="a", as_of=0)
    described, batch = notes()
    writer.replace(described, [batch], loaded="a", as_of=0)
    writer.set_profiles({"all": {"taste": ["spend"], "now": ["hours", "above"]}, "stored": {"taste": ["spend"]}}, [NOW])
    writer.database.close()
    return made


@pytest.fixture
def store(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[limner.Store]:
    made = limner.Store(path)
    monkeypatch.setattr(made, "_encode", encode)
    yield made
    made.close()


def test_a_profile_joins_what_is_stored_and_what_is_asked(store: limner.Store) -> None:
    """In the order of the profile; only the fields that its features need."""
    found = store.profile("all", 1, request={"now": REQUEST["now"], "amount": 20})
    assert found == {"user_id": 1, "spend": 10.0, "hours": 5.0, "above": True}
    assert list(found) == ["user_id", "spend", "hours", "above"]
    assert store.profile("stored", 1) == {"user_id": 1, "spend": 10.0}


def test_a_request_view_answers_by_its_own_name(store: limner.Store) -> None:
    """What one of its views does not know is null; an entity that none of them knows has no profile."""
    assert store.profile("now", 1, request=REQUEST) == {"user_id": 1, "above": True, "fit": 1.0, "hours": 5.0}
    assert store.profile("now", 7, request=REQUEST) == {"user_id": 7, "above": None, "fit": 0.6, "hours": 4.0}
    assert store.profile("now", 3, request=REQUEST) == {"user_id": 3, "above": False, "fit": None, "hours": None}
    assert store.profile("now", 99, request=REQUEST) is None


def test_rows_take_one_request_each_or_one_for_all(store: limner.Store) -> None:
    each: list[dict[str, Any]] = [{**REQUEST, "amount": amount} for amount in (5, 50.5, None)]
    table = store.read("now", [1, 3, 1], request=each)
    assert table.column_names == ["user_id", "above", "fit", "hours"]
    assert table.column("above").to_pylist() == [False, True, None]
    assert store.read("now", [1, 3], ["above"], request={"amount": 15}).to_pydict() == {
        "user_id": [1, 3],
        "above": [True, False],
    }


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (None, r"'now' needs the request field 'amount'; it takes amount \(a number\), now \(an instant such as"),
        ({"amount": 1}, "needs the request field 'now'"),
        ({**REQUEST, "amuont": 1}, "'now' takes no request field 'amuont': did you mean 'amount'"),
        ({**REQUEST, "amount": "much"}, "the request's 'amount' is a number: found 'much'"),
        ([REQUEST, REQUEST], "2 requests for 1 keys"),
    ],
)
def test_a_request_that_does_not_fit_is_refused(store: limner.Store, request_: Any, says: str) -> None:
    with pytest.raises(LimnerError, match=says):
        store.read("now", [1], request=request_)


def test_what_it_takes_can_be_asked(store: limner.Store) -> None:
    assert [(view.name, view.features, view.views) for view in store.request_views()] == [
        ("now", ("above", "fit", "hours"), ("notes", "taste"))
    ]
    assert list(store.request_fields("all")) == ["amount", "now"]
    assert store.request_fields("taste") == {}


def test_a_text_never_meets_vectors_of_another_encoder(path: Path, store: limner.Store) -> None:
    """Between an apply and the run that follows it, the stored vectors may be those of the encoder before."""
    writer = OnlineWriter(path)
    for fingerprint in ("e0", None):
        described, batch = notes(fingerprint)
        writer.replace(described, [batch], loaded="b", as_of=0)
        found = store.profile("now", 1, request=REQUEST)
        assert found is not None
        assert (found["fit"], found["hours"]) == (None, 5.0)
    writer.database.close()


def test_neighbours_are_of_stored_vectors(store: limner.Store) -> None:
    with pytest.raises(LimnerError, match="'fit' is computed when it is read"):
        store.similar("now", "fit", 1)


def test_a_file_without_request_views_is_read_as_before(path: Path) -> None:
    """One that an earlier version wrote has no table of them."""
    database = Database(path)
    database.connection().execute("DROP TABLE request_view")
    database.close()
    store = limner.Store(path)
    assert store.request_views() == ()
    assert store.profile("stored", 1) == {"user_id": 1, "spend": 10.0}
    store.close()


def test_a_text_needs_the_project(path: Path) -> None:
    """The file of values alone does not say where the encoder is."""
    store = limner.Store(path)
    with pytest.raises(LimnerError, match="encoding a text with 'tiny' needs the project"):
        store.profile("now", 1, request=REQUEST)
    assert store.read("now", [1], ["above"], request={"amount": 15}).column("above").to_pylist() == [True]
    store.close()


def test_two_request_features_take_less_than_a_few_milliseconds(store: limner.Store) -> None:
    """A generous bound, for busy machines: it is some tenths of a millisecond."""
    request = {"now": REQUEST["now"], "amount": 20}
    store.profile("all", 1, request=request)
    begun = time.perf_counter()
    for _ in range(100):
        store.profile("all", 1, request=request)
    assert (time.perf_counter() - begun) / 100 < 0.02
