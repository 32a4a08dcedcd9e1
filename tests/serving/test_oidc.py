"""With `auth: oidc` Feast's permissions decide who reads what, with real tokens: as in the real `feast serve`."""

import base64
import json
import shutil
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest

from limner.feature_repo.apply import feast_apply
from limner.feature_repo.feast_app import can_check_tokens
from limner.language.errors import LimnerError
from tests.serving.issuer import AUDIENCE, CLIENT, KEY_ID, Issuer, issuing, new_key
from tests.serving.world import Server, feast_serve, limner_serve

pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("serving"),
    pytest.mark.filterwarnings("ignore"),
]
PERMISSIONS = """
from feast import FeatureService, FeatureView
from feast.permissions.action import AuthzedAction
from feast.permissions.permission import Permission
from feast.permissions.policy import GroupBasedPolicy, RoleBasedPolicy

READ = [AuthzedAction.READ_ONLINE, AuthzedAction.DESCRIBE]
by_role = Permission(name="by_role", types=[FeatureView, FeatureService], name_patterns=["activity", "everything"],
                     policy=RoleBasedPolicy(roles=["reader"]), actions=READ)
by_group = Permission(name="by_group", types=[FeatureView], name_patterns=["taste"],
                      policy=GroupBasedPolicy(groups=["tasters"]), actions=READ)
pushing = Permission(name="pushing", types=[FeatureView], name_patterns=["taps-events"],
                     policy=RoleBasedPolicy(roles=["tapper"]), actions=[AuthzedAction.WRITE_ONLINE])
"""
TAPS = """
source: taps
path: data/taps
format: jsonl
event_timestamp: at
created_timestamp: received
clean: {cast: {user_id: int}}
stream: {id: tap, lateness: 1d}
---
feature_view: tapping
entity: user
source: taps
every: event
features: {taps: {count: "*"}}
"""
ACTIVITY = {"features": ["activity:orders_7d", "activity:newest"], "entities": {"user_id": [1, 3, 99]}}
TASTE = {"features": ["taste:likes"], "entities": {"user_id": [1, 3]}}
SERVICE = {"feature_service": "everything", "entities": {"user_id": [1]}}
OTHER = {"features": ["visits:bought_2d"], "entities": {"user_id": [1], "kind": ["book"]}}


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as found:
        yield found


@pytest.fixture(scope="module")
def guarded(root: Path, tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Path:
    """The project of all tests of serving, with permissions."""
    shop = tmp_path_factory.mktemp("guarded") / "shop"
    shutil.copytree(root, shop)
    repo = shop / "feature_repo"
    with (repo / "definitions.py").open("a") as definitions:
        definitions.write(PERMISSIONS)
    with (repo / "feature_store.yaml").open("a") as settings:
        settings.write(
            f"\nauth: {{type: oidc, client_id: {CLIENT}, auth_discovery_url: '{issuer.discovery}', "
            f"audience: {AUDIENCE}, issuer: '{issuer.url}'}}\n"
        )
    (shop / "specs" / "taps.yaml").write_text(TAPS)
    (shop / "data" / "taps").mkdir(parents=True)
    (shop / "data" / "taps" / "a.jsonl").write_text('{"tap": 1, "user_id": 1, "at": "2026-01-01", "received": null}\n')
    feast_apply(repo)
    return shop


@pytest.fixture(scope="module")
def limner(guarded: Path) -> Iterator[Server]:
    with limner_serve(guarded) as server:
        yield server


@pytest.fixture(scope="module")
def feast(guarded: Path) -> Iterator[Server]:
    with feast_serve(guarded / "feature_repo") as server:
        yield server


def ask(server: Server, body: Any, token: str | None) -> tuple[int, Any]:
    """Status and body of a request of Feast's; columns by name, since their order is any."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    status, told, _ = server.post("/get-online-features", body, **headers)
    if status != 200:
        return status, told
    names = told["metadata"]["feature_names"]
    return status, dict(zip(names, told["results"], strict=True))


def test_who_may_read_what_is_as_in_feast_serve(limner: Server, feast: Server, issuer: Issuer) -> None:
    """By role, by group, and views that no permission names; 403 says why in Feast's own words."""
    users = {
        "reader": issuer.token("ada", ("reader",)),
        "reader, elsewhere in the token": issuer.token("eve", resource_access=None, roles=["reader"]),
        "taster": issuer.token("bob", groups=["tasters"]),
        "both": issuer.token("cleo", ("reader", "x"), groups=["tasters"]),
        "nobody": issuer.token("dan"),
        "of another client": issuer.token("fay", resource_access={"other": {"roles": ["reader"]}}),
    }
    found: dict[str, list[int]] = {}
    for name, token in users.items():
        for body in (ACTIVITY, TASTE, SERVICE, OTHER):
            ours, theirs = ask(limner, body, token), ask(feast, body, token)
            assert ours == theirs, (name, body)
            found.setdefault(name, []).append(ours[0])
    assert found["reader"] == found["reader, elsewhere in the token"] == [200, 403, 200, 403]
    assert found["taster"] == [403, 200, 403, 403]
    assert found["both"] == [200, 200, 200, 403]
    assert found["nobody"] == found["of another client"] == [403, 403, 403, 403]
    told = ask(limner, ACTIVITY, users["nobody"])[1]
    assert "Permission by_role denied" in json.dumps(told)
    values = ask(limner, ACTIVITY, users["reader"])[1]
    assert values["user_id"]["values"] == [1, 3, 99]
    assert values["orders_7d"]["statuses"] == ["PRESENT", "PRESENT", "NOT_FOUND"]


def test_who_may_push_events_is_who_may_write_the_view_that_receives_them(feast: Server, issuer: Issuer) -> None:
    """`POST /push` asks for WRITE_ONLINE and WRITE_OFFLINE, as it is told to; nobody takes the events here."""
    df = {"tap": [2], "user_id": [1], "at": ["2026-01-02"]}
    for role, to, wanted in (
        ("reader", "online", 403),
        ("tapper", "online", 503),
        ("tapper", "online_and_offline", 403),
    ):
        token = {"authorization": f"Bearer {issuer.token('ada', (role,))}"}
        status, told, _ = feast.post("/push", {"push_source_name": "taps", "df": df, "to": to}, **token)
        assert status == wanted, (role, to, told)
    assert feast.post("/push", {"push_source_name": "taps", "df": df})[0] == 401


def forged(issuer: Issuer) -> dict[str, str]:
    """Tokens that must not be believed."""
    good, now = issuer.claims("ada", ("reader",)), int(time.time())
    head, body, signature = issuer.token("ada", ("reader",)).split(".")
    other = base64.urlsafe_b64encode(json.dumps(good | {"sub": "root"}).encode()).rstrip(b"=").decode()
    none = base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": KEY_ID}).encode()).rstrip(b"=").decode()
    symmetric = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": KEY_ID}).encode()).rstrip(b"=").decode()
    mac = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    sealed = mac.sign(f"{symmetric}.{body}".encode(), issuer.public_pem)
    return {
        "expired": issuer.token("ada", ("reader",), exp=now - 60),
        "for somebody else": issuer.token("ada", ("reader",), aud="another-service"),
        "for nobody": issuer.token("ada", ("reader",), aud=None),
        "of another issuer": issuer.token("ada", ("reader",), iss="http://127.0.0.1:1"),
        "not yet": issuer.token("ada", ("reader",), nbf=now + 3600),
        "signed with another key": issuer.token("ada", ("reader",), key=new_key()),
        "changed": f"{head}.{other}.{signature}",
        "not signed": f"{none}.{body}.",
        "signature left out": f"{head}.{body}.",
        "signed with the public key": f"{symmetric}.{body}.{base64.urlsafe_b64encode(sealed).rstrip(b'=').decode()}",
        "of an unknown key": jwt.encode(good, issuer.key, algorithm="RS256", headers={"kid": "key-2"}),
        "without a key": jwt.encode(good, issuer.key, algorithm="RS256"),
        "of nobody": issuer.token(preferred_username=None, sub=None),
        "no token": "nonsense",
    }


def test_a_token_that_is_not_to_be_believed_is_refused_as_in_feast_serve(
    limner: Server, feast: Server, issuer: Issuer
) -> None:
    """401, whatever is wrong with it; and without one."""
    for name, token in {**forged(issuer), "none": None}.items():
        ours, theirs = ask(limner, ACTIVITY, token), ask(feast, ACTIVITY, token)
        assert ours == theirs, name
        assert ours[0] == 401, name
    assert ask(limner, ACTIVITY, issuer.token("ada", ("reader",)))[0] == 200


def test_users_at_once_are_not_mixed_up(limner: Server, issuer: Issuer) -> None:
    """On connections of their own and on one that both use in turns."""
    tokens = [issuer.token("ada", ("reader",)), issuer.token("dan"), None]
    wanted = [200, 403, 401]
    assert [ask(limner, ACTIVITY, token)[0] for token in tokens * 5] == wanted * 5

    def many(place: int) -> set[int]:
        server = Server(limner.port)
        return {ask(server, ACTIVITY, tokens[place % 3])[0] for _ in range(10)}

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(many, range(6))) == [{status} for status in wanted * 2]


def test_a_token_opens_none_of_the_lean_routes(limner: Server, issuer: Issuer) -> None:
    """Permissions are Feast's, and it does not decide there."""
    token = {"authorization": f"Bearer {issuer.token('ada', ('reader',))}"}
    for method, path in (("GET", "/profiles"), ("GET", "/profiles/everything/1")):
        assert limner.ask(method, path, headers=token)[0] == 403
    assert limner.post("/profiles", {"profile": "everything", "keys": [1]}, **token)[0] == 403


def test_without_what_tokens_are_checked_with_there_is_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each token, however good, would be refused with 401."""
    can_check_tokens()
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(LimnerError, match=r"pip install 'limner\[oidc\]'"):
        can_check_tokens()
