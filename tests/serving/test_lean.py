"""The lean routes answer what `limner.Store` answers, and refuse what they do not understand."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import limner
from tests.serving.world import Server

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("serving")]
ARROW = "application/vnd.apache.arrow.stream"
KEYS = [3, 99, 1, 3, -5]


@pytest.fixture(scope="module")
def store(root: Path) -> limner.Store:
    return limner.Store(root)


def alike(told: Any, known: Any) -> bool:
    """JSON against Python's values: instants are texts, vectors the shortest numbers that mean the same float32."""
    if isinstance(known, datetime):
        return datetime.fromisoformat(told) == known
    if isinstance(known, dict):
        return told.keys() == known.keys() and all(alike(told[name], value) for name, value in known.items())
    if isinstance(known, list):
        return len(told) == len(known) and all(alike(a, b) for a, b in zip(told, known, strict=True))
    if isinstance(known, float):
        return told == known or np.float32(told) == known
    return type(told) is type(known) and told == known


def named(key: Any) -> Any:
    """A key as the store takes it of a profile of several entities."""
    return dict(zip(("kind", "user_id"), key, strict=True)) if isinstance(key, list) else key


@pytest.mark.parametrize("name", ["everything", "both", "activity", "taste"])
def test_profiles_are_those_of_the_store(ours: Server, store: limner.Store, name: str) -> None:
    """One by GET, some by POST, in the order given; null for a stranger."""
    known = [store.profile(name, key) for key in KEYS]
    status, told, _ = ours.post("/profiles", {"profile": name, "keys": KEYS})
    assert status == 200
    assert alike(told["profiles"], known)
    for key, profile in zip(KEYS, known, strict=True):
        status, told, _ = ours.ask("GET", f"/profiles/{name}/{key}")
        assert status == (200 if profile else 404)
        assert profile is None or alike(told, profile)


@pytest.mark.parametrize("keys", [[{"kind": "ünïcode", "user_id": 1}, {"user_id": 99, "kind": "x"}], [["book", 2]]])
def test_keys_of_two_columns_in_either_form(ours: Server, store: limner.Store, keys: list[Any]) -> None:
    known = [store.profile("visiting", named(key)) for key in keys]
    assert known[0] is not None
    status, told, _ = ours.post("/profiles", {"profile": "visiting", "keys": keys})
    assert (status, told["profiles"]) == (200, known)


def test_request_views_and_chosen_features(ours: Server, store: limner.Store) -> None:
    request = [{"limit": 3}, {"limit": 300}]
    status, told, _ = ours.post("/profiles", {"profile": "now", "keys": [1, 2], "request": request})
    assert (status, told["profiles"]) == (
        200,
        [store.profile("now", k, request=r) for k, r in zip((1, 2), request, strict=True)],
    )
    asked = {"profile": "everything", "keys": [1], "features": ["dear", "newest"]}
    assert set(ours.post("/profiles", asked)[1]["profiles"][0]) == {"user_id", "dear", "newest"}
    assert set(ours.ask("GET", "/profiles/everything/1?features=dear,newest")[1]) == {"user_id", "dear", "newest"}


@pytest.mark.parametrize("name", ["everything", "both", "visiting"])
def test_arrow_is_the_table_of_the_store(ours: Server, store: limner.Store, name: str) -> None:
    keys: list[Any] = [["book", 2], ["x", 99]] if name == "visiting" else KEYS
    status, told, headers = ours.post("/profiles", {"profile": name, "keys": keys}, accept=ARROW)
    assert (status, headers["content-type"]) == (200, ARROW)
    rows = [named(key) for key in keys]
    assert pa.ipc.open_stream(told).read_all().equals(store.read(name, rows))


def test_similar_is_that_of_the_store_and_of_brute_force(ours: Server, store: limner.Store) -> None:
    """By a key, itself left out, and by a vector; the same cosines, the same order."""
    status, told, _ = ours.post("/similar", {"view": "taste", "feature": "likes", "key": 3, "k": 4})
    known = store.similar("taste", "likes", 3, 4)
    assert status == 200
    assert [(n["key"]["user_id"], n["similarity"]) for n in told["neighbours"]] == [
        (n.key[0], n.similarity) for n in known
    ]
    vectors = {key: store.arrays("taste", [key])["likes"][0] for key in range(1, 15)}
    wanted = np.linspace(-1, 1, 16).astype(np.float32)
    cosines = {k: float(v @ wanted / np.linalg.norm(v) / np.linalg.norm(wanted)) for k, v in vectors.items()}
    status, told, _ = ours.post("/similar", {"view": "taste", "feature": "likes", "vector": wanted.tolist(), "k": 100})
    assert [n["key"]["user_id"] for n in told["neighbours"]] == sorted(cosines, key=lambda key: -cosines[key])
    assert told["compared"] == len(vectors)
    assert all(math.isclose(n["similarity"], cosines[n["key"]["user_id"]], abs_tol=1e-6) for n in told["neighbours"])


LIKES = {"view": "taste", "feature": "likes"}
WRONG: list[tuple[str, Any, int, str]] = [
    ("/profiles", {"profile": "everythin", "keys": [1]}, 404, "did you mean 'everything'"),
    ("/profiles", {"profile": "everything", "keys": [1], "features": ["deer"]}, 404, "did you mean 'dear'"),
    ("/profiles", {"profile": "everything", "keys": [1], "features": ["dear", "dear"]}, 422, "twice"),
    ("/profiles", {"profile": "everything", "keys": [1], "features": []}, 422, "list of names"),
    ("/profiles", {"profile": "everything", "keys": []}, 422, "one or more"),
    ("/profiles", {"profile": "everything", "keys": ["1"]}, 422, "integer"),
    ("/profiles", {"profile": "everything", "keys": [True]}, 422, "integer"),
    ("/profiles", {"profile": "everything", "keys": [1.0]}, 422, "integer"),
    ("/profiles", {"profile": "everything", "keys": [None]}, 422, "integer"),
    ("/profiles", {"profile": "everything", "keys": [2**63]}, 422, "64-bit"),
    ("/profiles", {"profile": "everything", "keys": [{"user": 1}]}, 422, "user_id"),
    ("/profiles", {"profile": "visiting", "keys": [1]}, 422, "kind, user_id"),
    ("/profiles", {"profile": "visiting", "keys": [{"kind": 1, "user_id": 1}]}, 422, "string"),
    ("/profiles", {"profile": "everything", "keys": [1], "key": 2}, 422, "did you mean 'keys'"),
    ("/profiles", {"profile": "everything", "keys": [1], "request": {"limit": 1}}, 400, "takes no request field"),
    ("/profiles", {"profile": "now", "keys": [1]}, 400, "needs the request field 'limit'"),
    ("/profiles", {"profile": "now", "keys": [1], "request": {"limit": "x"}}, 400, "'limit' is an integer"),
    ("/profiles", {"profile": "now", "keys": [1], "request": [{"limit": 1}, {"limit": 1}]}, 422, "2 requests for 1"),
    ("/profiles", {"profile": "everything", "keys": [1] * 10_001}, 413, "at most 10,000"),
    ("/profiles", [1], 422, "object"),
    ("/profiles", b"{", 400, "no JSON"),
    ("/similar", LIKES, 422, "either"),
    ("/similar", LIKES | {"key": 1, "vector": [1]}, 422, "either"),
    ("/similar", LIKES | {"key": 99}, 404, "has no 'likes'"),
    ("/similar", LIKES | {"key": 1, "k": 0}, 422, "from 1 to 100"),
    ("/similar", LIKES | {"key": 1, "k": 101}, 422, "from 1 to 100"),
    ("/similar", LIKES | {"vector": [1, 2]}, 422, "has 16 numbers"),
    ("/similar", LIKES | {"vector": [0] * 16}, 422, "not all of them zero"),
    ("/similar", LIKES | {"vector": [1e300] * 16}, 422, "finite"),
    ("/similar", {"view": "taste", "feature": "orders", "key": 1}, 422, "not a vector"),
    ("/similar", {"view": "taste", "feature": "like", "key": 1}, 404, "did you mean 'likes'"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "wanted", "part"), WRONG)
def test_what_is_wrong_is_refused_and_explained(ours: Server, path: str, body: Any, wanted: int, part: str) -> None:
    status, told, _ = ours.post(path, body)
    assert (status, part in told["error"]) == (wanted, True), told


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/profiles/everything/x", 422), ("/profiles/everything/%FF", 400), ("/profiles/everything/1_0", 422),
        ("/profiles/everything/%D9%A3", 422), ("/profiles/everything/99999999999999999999", 422),
        ("/profiles/visiting/book", 422), ("/profiles/nothing/1", 404), ("/profiles/everything/1/2", 404),
        ("/profiles/everything/1?features=", 422), ("/profiles/everything/1?feature=dear", 422),
        ("/profiles/everything/1?features=dear,dear", 422), ("/profiles/now/1", 400), ("/nothing", 404),
    ],
)  # fmt: skip
def test_paths_that_lead_nowhere(ours: Server, path: str, wanted: int) -> None:
    status, told, _ = ours.ask("GET", path)
    assert status == wanted
    assert told["error"]


def test_methods_and_types_of_content(ours: Server) -> None:
    """405 says what is allowed, 406 and 415 what is spoken; HEAD has no body."""
    status, _, headers = ours.ask("DELETE", "/profiles")
    assert (status, headers["allow"]) == (405, "GET, POST")
    assert ours.post("/profiles", {"profile": "everything", "keys": [1]}, accept="text/html")[0] == 406
    assert ours.ask("POST", "/profiles", b"{}", {"content-type": "text/plain"})[0] == 415
    status, body, headers = ours.ask("HEAD", "/profiles/everything/1")
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 100


def test_what_can_be_asked_for_is_listed(ours: Server, store: limner.Store) -> None:
    status, told, _ = ours.ask("GET", "/profiles")
    assert status == 200
    assert {"everything", "both", "visiting", "now", "activity", "taste", "visits", "asked"} == set(told)
    assert told["visiting"]["keys"] == {"kind": "string", "user_id": "int"}
    assert told["now"]["request"] == {"limit": "an integer"}
    assert store.read("both", [1]).column_names == [*told["both"]["keys"], *told["both"]["features"]]


def test_the_page_and_the_description(ours: Server) -> None:
    """The page loads nothing from elsewhere and names every route that is described."""
    status, told, _ = ours.ask("GET", "/openapi.json")
    assert (status, told["openapi"]) == (200, "3.1.0")
    status, page, headers = ours.ask("GET", "/docs")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert all(path.encode() in page for path in told["paths"])
    assert b"http://" not in page
    assert b"https://" not in page
