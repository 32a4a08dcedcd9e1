"""A client that was written for `feast serve` works unchanged: request by request beside the real one, same store."""

import json
from pathlib import Path
from typing import Any

import pytest

from limner.feature_repo.online_plans import Registered
from limner.serving.feast_answers import fits, shape_of
from tests.serving.world import Server

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("serving")]
USERS = [3, 1, 99, 3, 14, -5]
ACTIVITY = ["orders_7d", "spend_7d", "mean_spend", "favourite", "spent", "newest", "last_order", "dear"]
REFS = [f"activity:{name}" for name in ACTIVITY]
ASKED: dict[str, Any] = {
    "one feature": {"features": ["activity:orders_7d"], "entities": {"user_id": [3]}},
    "every type, entities repeated and unknown": {"features": REFS, "entities": {"user_id": USERS}},
    "a service": {"feature_service": "everything", "entities": {"user_id": USERS}},
    "a service and features: the service": {
        "feature_service": "both", "features": ["activity:dear"], "entities": {"user_id": USERS},
    },
    "vectors": {"features": ["taste:likes"], "entities": {"user_id": USERS}},
    "two views": {"features": ["taste:likes", "activity:last_order"], "entities": {"user_id": USERS}},
    "full names": {"features": REFS, "entities": {"user_id": USERS}, "full_feature_names": True},
    "one name twice, full names": {
        "features": ["activity:orders_7d", "visits:bought_2d"],
        "entities": {"user_id": [1], "kind": ["book"]}, "full_feature_names": True,
    },
    "versions": {"features": REFS[:2], "entities": {"user_id": [1]}, "include_feature_view_version_metadata": True},
    "two join keys, a text": {
        "features": ["visits:bought_2d", "visits:bought_lifetime"],
        "entities": {"user_id": [1, 2, 3], "kind": ["book", "ünïcode", "none"]},
    },
    "views of several entities": {
        "feature_service": "visiting", "entities": {"kind": ["book", "game", ""], "user_id": [1, 99, 2]},
    },
    "a request view": {"feature_service": "now", "entities": {"user_id": [1, 99], "limit": [3, 4]}},
    "a request view alone": {"features": ["asked:above"], "entities": {"user_id": [1, 2], "limit": [3, 400]}},
    "digits for an integer": {"features": REFS[:2], "entities": {"user_id": ["3", "1"]}},
    "a whole number as a float": {"features": REFS[:2], "entities": {"user_id": [3.0, 1.0]}},
    "many": {"features": REFS, "entities": {"user_id": list(range(-300, 300))}},
    "a column that is no key": {"features": REFS[:1], "entities": {"user_id": [3], "other": [1]}},
    "a field that nobody knows": {"features": REFS[:1], "entities": {"user_id": [3]}, "other": 1},
    "flags as texts": {"features": REFS[:1], "entities": {"user_id": [3]}, "full_feature_names": "true"},
    # What is wrong
    "no such view": {"features": ["nothing:orders"], "entities": {"user_id": [3]}},
    "no such feature": {"features": ["activity:nothing"], "entities": {"user_id": [3]}},
    "no such service": {"feature_service": "nothing", "entities": {"user_id": [3]}},
    "a name twice": {"features": ["activity:orders_7d", "activity:orders_7d"], "entities": {"user_id": [3]}},
    "no reference": {"features": ["orders"], "entities": {"user_id": [3]}},
    "no features": {"entities": {"user_id": [3]}},
    "no entities": {"features": REFS[:1], "entities": {}},
    "no key": {"features": REFS[:1], "entities": {"user_id": []}},
    "another key": {"features": REFS[:1], "entities": {"kind": ["book"]}},
    "one of two keys": {"features": ["visits:bought_2d"], "entities": {"kind": ["book"]}},
    "columns of two lengths": {"features": ["visits:bought_2d"], "entities": {"kind": ["book"], "user_id": [1, 2]}},
    "a text for an integer": {"features": REFS[:1], "entities": {"user_id": ["three"]}},
    "a list for an integer": {"features": REFS[:1], "entities": {"user_id": [[3]]}},
    "null for a key": {"features": REFS[:1], "entities": {"user_id": [None]}},
    "an integer too large": {"features": REFS[:1], "entities": {"user_id": [2**70]}},
    "entities as rows": {"features": REFS[:1], "entity_rows": [{"user_id": 3}]},
    "a list of entities": {"features": REFS[:1], "entities": [{"user_id": 3}]},
    "a key that is no list": {"features": REFS[:1], "entities": {"user_id": 3}},
    "features that are no list": {"features": "activity:dear", "entities": {"user_id": [3]}},
    "no object": [1],
    "a request field missing": {"feature_service": "now", "entities": {"user_id": [1]}},
    "a request field of another type": {"feature_service": "now", "entities": {"user_id": [1], "limit": ["x"]}},
}  # fmt: skip


PLANNED = {
    "one feature", "every type, entities repeated and unknown", "a service", "a service and features: the service",
    "vectors", "two views", "full names", "one name twice, full names", "versions", "two join keys, a text",
    "views of several entities", "many",
}  # fmt: skip


def by_name(answer: Any) -> Any:
    """An answer without its order: Feast's hangs on the hashes of a process."""
    if not isinstance(answer, dict) or "results" not in answer:
        return answer
    names = answer["metadata"]["feature_names"]
    columns = dict(zip(names, answer["results"], strict=True))
    return answer | {"results": columns, "metadata": answer["metadata"] | {"feature_names": sorted(names)}}


@pytest.mark.parametrize("name", ASKED)
def test_answers_are_those_of_feast(ours: Server, theirs: Server, name: str) -> None:
    """Values to the last bit, statuses, instants, names, codes; a 500 that a request earned is a 400 with its text."""
    for _ in range(2):  # the first time a plan is made
        status, told, headers = ours.post("/get-online-features", ASKED[name])
        wanted, answer, given = theirs.post("/get-online-features", ASKED[name])
        assert status == (400 if wanted == 500 else wanted), told
        assert json.dumps(by_name(told), sort_keys=True) == json.dumps(by_name(answer), sort_keys=True)
        assert headers["content-type"].split(";")[0] == given["content-type"].split(";")[0]


def test_stored_features_are_read_without_feast(root: Path) -> None:
    """Whatever asks for nothing else has a plan, and nothing else has: the answers above are of both kinds."""
    registered, planned = Registered(root / "feature_repo"), set()
    for name, body in ASKED.items():
        asked = shape_of(body)
        if asked is not None and (plan := registered.plan(asked[0])) is not None and fits(plan, asked[1]):
            planned.add(name)
    assert planned == PLANNED


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b'{"entities": {"user_id": [NaN]}}', b"\xff"])
def test_what_is_no_json_is_refused_alike(ours: Server, theirs: Server, body: bytes) -> None:
    kind = {"content-type": "application/json"}
    status, told, _ = ours.ask("POST", "/get-online-features", body, kind)
    wanted, answer, _ = theirs.ask("POST", "/get-online-features", body, kind)
    assert (status, told) == (400 if wanted == 500 else wanted, answer)


def test_a_body_without_its_type_is_treated_alike(ours: Server, theirs: Server) -> None:
    body = json.dumps(ASKED["one feature"]).encode()
    for headers in ({}, {"content-type": "text/plain"}, {"content-type": "application/json; charset=utf-8"}):
        status, told, _ = ours.ask("POST", "/get-online-features", body, headers)
        wanted, answer, _ = theirs.ask("POST", "/get-online-features", body, headers)
        assert (status, by_name(told)) == (wanted, by_name(answer))
