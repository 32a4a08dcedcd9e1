"""`limner triton` and `limner bench encode`, as a user runs them, on a project of their own."""

import json
import socket
from pathlib import Path

import pytest

from limner.benchmarks.ports import free_ports
from limner.cli.main import run
from limner.workers.encoder import serving
from limner.workers.encoder.home import TritonHome
from tests.integration.tiny_bert import write_tiny_bert
from tests.integration.triton_server import lend_installation

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("triton_commands")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project with one tiny encoder and ports of its own; its server is stopped at the end."""
    root = tmp_path_factory.mktemp("commands")
    lend_installation(root)
    write_tiny_bert(root / "models" / "tiny")
    grpc, http, metrics = free_ports(3)
    (root / "specs").mkdir()
    (root / "specs" / "tiny.yaml").write_text("encoder: tiny\nmodel: models/tiny\nmax_tokens: 16\nprecision: float32\n")
    (root / "feature_repo").mkdir()
    (root / "feature_repo" / "feature_store.yaml").write_text(
        f"project: tiny\nbatch_engine:\n  type: limner.feature_repo.engine.LimnerEngine\n"
        f"  triton: {{url: 127.0.0.1:{grpc}, http_port: {http}, metrics_port: {metrics}}}\n"
    )
    return root


@pytest.fixture(scope="module", autouse=True)
def _stop(project: Path) -> object:
    yield
    serving.down(TritonHome(project))


def limner(project: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run one command line; return its exit code and what it wrote."""
    capsys.readouterr()
    code = run(["-C", str(project), *arguments])
    out, err = capsys.readouterr()
    return code, out, err


def test_before_it_is_up_status_fails_with_the_remedy(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, and the command that helps."""
    code, out, err = limner(project, capsys, "triton", "status")
    assert code == 1
    assert "unreachable tiny" in out
    assert "limner triton up" in err


def test_a_taken_port_is_a_clear_message(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, the port and its option; nothing is left running."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code, _, err = limner(project, capsys, "triton", "up", "--metrics-port", str(port))
    assert code == 1
    assert f"port {port} is taken: choose another with --metrics-port" in err
    assert limner(project, capsys, "triton", "down")[2].strip() == "no Triton of this project is running"


def test_up_status_and_down_are_a_round(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Up twice is up once; status is JSON where asked; down twice is down once; the bench brings its own server."""
    assert limner(project, capsys, "triton", "up")[0] == 0
    code, out, err = limner(project, capsys, "triton", "up", "--json")
    assert (code, err) == (0, "")
    assert [health["state"] for health in json.loads(out)] == ["ok"]
    code, out, _ = limner(project, capsys, "triton", "status", "--json")
    assert code == 0
    (health,) = json.loads(out)
    assert health["encoder"] == "tiny"
    assert health["latency_ms"] > 0
    options = [
        "--encoder",
        "tiny",
        "--texts",
        "64",
        "--rounds",
        "1",
        "--stock-rows",
        "0",
        "--json",
        str(project / "report.json"),
    ]
    code, out, err = limner(project, capsys, "bench", "encode", *options)
    assert code == 0, err
    report = json.loads((project / "report.json").read_text())
    measured = [each["name"] for each in report["measured"]]
    assert measured[:3] == ["in process", "through Triton", "feast materialize"]
    assert "Feast alone" not in measured, "it takes a minute, and was left out"
    assert limner(project, capsys, "triton", "status")[0] == 0, "the bench leaves a running server running"
    assert limner(project, capsys, "triton", "down")[0] == 0
    assert limner(project, capsys, "triton", "status")[0] == 1


def test_install_again_is_a_no_op(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Everything is there: nothing is fetched, and it says so."""
    code, _, err = limner(project, capsys, "triton", "install")
    assert code == 0
    assert "already installed" in err


def test_without_an_installation_up_says_so(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The missing step is named."""
    server = project / ".triton" / "server"
    server.rename(server.with_name("aside"))
    try:
        code, _, err = limner(project, capsys, "triton", "up")
    finally:
        server.with_name("aside").rename(server)
    assert code == 1
    assert "run `limner triton install`" in err
