"""What a server refuses: strangers, bodies without end, clients that stall; and what it tells Prometheus."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from limner.benchmarks.ports import free_port
from limner.language.errors import LimnerError
from limner.serving.metrics import BUCKETS, Metrics
from limner.workers.api_keys import ApiKeys
from tests.serving.world import Server, limner_serve, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("serving")]
KEY, SECOND = "0123456789abcdef-one", "0123456789abcdef-two"
ASKED = {"profile": "everything", "keys": [1]}


@pytest.fixture(scope="module")
def guarded(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers with keys and narrow bounds."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"# one a line\n{SECOND}\n\n")
    options = (
        "--workers",
        "2",
        "--api-key-file",
        str(file),
        "--max-keys",
        "20",
        "--max-body-mib",
        "1",
        "--timeout",
        "1",
    )
    with limner_serve(root, *options, env={"LIMNER_API_KEY": KEY}) as server:
        yield server


@pytest.mark.parametrize("header", [{"x-api-key": KEY}, {"authorization": f"Bearer {SECOND}"}, {"x-api-key": SECOND}])
def test_a_key_opens(guarded: Server, header: dict[str, str]) -> None:
    assert guarded.ask("POST", "/profiles", ASKED, header)[0] == 200


@pytest.mark.parametrize(
    "header",
    [{}, {"x-api-key": ""}, {"x-api-key": KEY[:-1]}, {"x-api-key": KEY + "x"}, {"authorization": f"Basic {KEY}"}],
)
def test_without_a_key_only_health_is_told(guarded: Server, header: dict[str, str]) -> None:
    for method, path in [("POST", "/profiles"), ("POST", "/get-online-features"), ("GET", "/metrics"), ("GET", "/docs"),
                         ("GET", "/profiles/everything/1"), ("GET", "/nothing")]:  # fmt: skip
        status, told, _ = guarded.ask(method, path, ASKED if method == "POST" else None, header)
        assert (status, "X-API-Key" in told["error"]) == (401, True)
    for path in ("/health", "/health/live", "/health/ready"):
        assert guarded.ask("GET", path, None, header)[0] == 200


def test_bodies_and_keys_are_bounded(guarded: Server) -> None:
    """By what is announced, by what comes, and by how many keys it names, on either route."""
    header = {"x-api-key": KEY}
    assert guarded.ask("POST", "/profiles", b" " * (1 << 20) + b"{}", header)[0] == 413
    assert guarded.ask("POST", "/profiles", {"profile": "everything", "keys": [1] * 21}, header)[0] == 413
    feast = {"features": ["activity:dear"], "entities": {"user_id": [1] * 21}}
    assert guarded.ask("POST", "/get-online-features", feast, header)[0] == 413
    assert guarded.ask("POST", "/get-online-features", feast | {"other": 1}, header)[0] == 413
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as raw:
        raw.sendall(
            f"POST /profiles HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        )
        chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        for _ in range(20):
            raw.sendall(chunk)
        raw.sendall(b"0\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 413")
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as raw:
        raw.sendall(
            f"POST /profiles HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: {10**12}\r\n\r\n".encode()
        )
        assert raw.recv(1000).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_not_waited_for(guarded: Server) -> None:
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as raw:
        head = f"POST /profiles HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-length: 100\r\n\r\n{{"
        raw.sendall(head.encode())
        begun = time.monotonic()
        assert raw.recv(1000).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - begun < 5


def test_what_is_no_http_harms_nobody(guarded: Server) -> None:
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=20) as raw:
        raw.sendall(b"\x16\x03\x01nonsense\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 400")
    assert guarded.ask("GET", "/health")[0] == 200


def test_metrics_count_all_workers(guarded: Server) -> None:
    """Whichever worker is scraped, it tells of both; connections are shared out between them."""
    header = {"x-api-key": KEY}
    for key in range(1, 31):
        status, _, _ = Server(guarded.port).ask("GET", f"/profiles/taste/{key}", None, header)
        assert status == (200 if key <= 14 else 404)
    deadline = time.monotonic() + 20
    wanted = {("200", 14.0), ("404", 16.0)}
    while time.monotonic() < deadline:
        found = read(guarded.ask("GET", "/metrics", None, header)[1])
        answers = {(labels["status"], value) for name, labels, value in found
                   if name == "limner_requests_total" and labels["route"] == "/profiles/{name}/{key}"
                   and labels["status"] != "401"}  # fmt: skip
        if answers == wanted:
            break
        time.sleep(0.3)  # the other worker writes once a second
    assert answers == wanted
    told = {(name, labels.get("profile") or labels.get("view")): value for name, labels, value in found}
    assert told["limner_keys_total", "taste"] == 30
    assert told["limner_missing_keys_total", "taste"] == 16
    assert told["limner_view_freshness_seconds", "activity"] > 0
    assert told["limner_up", None] == 1


def read(body: bytes) -> list[tuple[str, dict[str, str], float]]:
    families = text_string_to_metric_families(body.decode())
    return [(sample.name, sample.labels, sample.value) for family in families for sample in family.samples]


def test_a_worker_goes_on_counting_where_another_ended(tmp_path: Path) -> None:
    """Counters never fall, buckets are cumulative, and a file that is being written is left out."""
    first = Metrics(tmp_path, 0)
    for seconds in (BUCKETS[0], 0.002, 99.0):
        first.answered("/a", 200, seconds)
    first.write()
    second, other = Metrics(tmp_path, 1), Metrics(tmp_path, 2)
    second.answered("/a", 500, 0.002)
    other.answered("/a", 200, 0.002)
    second.write()
    (tmp_path / "3.json").write_text("{")
    found = {
        (name, labels.get("le"), labels.get("status")): value for name, labels, value in read(other.text().encode())
    }
    assert found["limner_requests_total", None, "200"] == 4
    assert found["limner_requests_total", None, "500"] == 1
    assert found["limner_request_seconds_bucket", str(BUCKETS[0]), None] == 1
    assert found["limner_request_seconds_bucket", "0.0025", None] == 4
    assert (
        found["limner_request_seconds_bucket", "+Inf", None] == found["limner_request_seconds_count", None, None] == 5
    )


@pytest.mark.parametrize("key", ["short", "with a space in it", "ünïcode-ünïcode-ünïcode"])
def test_keys_that_are_none(tmp_path: Path, key: str) -> None:
    (tmp_path / "keys").write_text(key)
    with pytest.raises(LimnerError, match="openssl rand"):
        ApiKeys.of(tmp_path / "keys")


def test_a_file_without_keys_does_not_open_the_server(tmp_path: Path) -> None:
    """It would be open to everybody by mistake."""
    (tmp_path / "keys").write_text("# none yet\n")
    with pytest.raises(LimnerError, match="holds no API key"):
        ApiKeys.of(tmp_path / "keys")
    with pytest.raises(LimnerError, match="cannot read"):
        ApiKeys.of(tmp_path / "nothing")


def test_where_feast_decides_who_may_read_nothing_else_answers(root: Path, tmp_path: Path) -> None:
    """With `auth: oidc` Feast's route wants a token, as `feast serve` does; the lean routes are closed."""
    shutil.copytree(root, tmp_path / "shop")
    settings = tmp_path / "shop" / "feature_repo" / "feature_store.yaml"
    discovery = f"http://127.0.0.1:{free_port()}/.well-known/openid-configuration"
    settings.write_text(
        settings.read_text() + f"\nauth: {{type: oidc, client_id: x, auth_discovery_url: '{discovery}'}}\n"
    )
    feast = {"features": ["activity:dear"], "entities": {"user_id": [1]}}
    with limner_serve(tmp_path / "shop") as server:
        assert server.post("/get-online-features", feast)[0] == 401
        assert server.post("/get-online-features", feast, authorization="Bearer nonsense")[0] == 401
        for path in ("/profiles", "/profiles/everything/1"):
            status, told, _ = server.ask("GET", path)
            assert (status, "get-online-features" in told["error"]) == (403, True)
        assert server.post("/profiles", ASKED)[0] == 403
        assert server.post("/similar", {"view": "taste", "feature": "likes", "key": 1})[0] == 403
        assert server.ask("GET", "/health")[0] == 200


def test_feast_does_not_say_that_all_is_open(root: Path, tmp_path: Path) -> None:
    """It knows nothing of the keys."""
    (tmp_path / "keys").write_text(KEY)
    line = [sys.executable, "-m", "limner.cli.main", "-C", str(root), "serve", "--port", "0",
            "--api-key-file", str(tmp_path / "keys")]  # fmt: skip
    with (tmp_path / "told").open("w") as told:
        process = subprocess.Popen(line, stderr=told, stdout=told)
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(r":(\d+) ", (tmp_path / "told").read_text())):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        wait_for(int(found[1]), process)
    finally:
        process.terminate()
        process.wait(30)
    said = (tmp_path / "told").read_text()
    assert "serving" in said
    assert "unauthenticated" not in said
