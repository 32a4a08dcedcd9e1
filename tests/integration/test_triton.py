"""The served encoder against transformers, and a server that is stopped, killed, and asked for the impossible."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from limner.benchmarks.ports import free_ports
from limner.language.models import Encoder
from limner.workers.encoder import server, serving
from limner.workers.encoder.errors import EncoderUnavailable, TritonFailed, TritonNotInstalled
from limner.workers.encoder.home import TritonHome
from limner.workers.encoder.install import has
from limner.workers.encoder.processes import Process
from limner.workers.encoder.resolve import EncoderModel, resolve
from limner.workers.encoder.transport import Fault, GrpcTransport, TransportError
from tests.integration.tiny_bert import write_tiny_bert
from tests.integration.triton_server import CHECKOUT, TritonServer

pytestmark = pytest.mark.integration

TEXTS = [
    "fresh milk",
    "Kitchen paper, 2-ply: BIG value pack!",
    "",
    "我喜欢这个产品 very much",
    "nul\0byte and emoji 🙂",
    " ".join(["a long review about bread and cheese that goes on and on"] * 30),
    *(f"snack {number} with {'salt ' * (number % 17)}" for number in range(90)),
]


def by_transformers(model: EncoderModel, texts: Sequence[str], pooling: str = "mean") -> np.ndarray:
    """Encode the plainest way: one text at a time, float32, no padding."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    tokenizer = Tokenizer.from_file(str(model.folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_length=model.max_tokens)
    bert = AutoModel.from_pretrained(str(model.folder)).float().eval()
    vectors = []
    with torch.inference_mode():
        for text in texts:
            hidden = bert(input_ids=torch.tensor([tokenizer.encode(text).ids])).last_hidden_state[0]
            pooled = {"mean": hidden.mean(0), "cls": hidden[0], "max": hidden.amax(0)}[pooling]
            vectors.append(torch.nn.functional.normalize(pooled, dim=-1) if model.normalize else pooled)
    return torch.stack(vectors).numpy()


def cosines(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Cosine of each row with its counterpart."""
    return (left * right).sum(1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)


@pytest.mark.parametrize(("precision", "least"), [("float32", 0.9999), ("bfloat16", 0.999)])
def test_vectors_of_minilm_equal_those_of_transformers(triton: TritonServer, precision: str, least: float) -> None:
    """Embeddings through Triton equal the same model run directly."""
    model = triton.minilm(precision)
    encoded = triton.client(model).encode(TEXTS)
    assert encoded.failures == {}
    assert encoded.vectors.dtype == np.float32
    assert cosines(encoded.vectors[:24], by_transformers(model, TEXTS[:24])).min() >= least


def test_int8_is_near_to_transformers(triton: TritonServer) -> None:
    """It is calibrated with texts of many languages: cosine 0.99 on average, no text far off."""
    if not has(TritonHome(CHECKOUT), "int8"):
        pytest.skip("needs `limner triton install --int8`")
    model = triton.minilm("int8")
    found = cosines(triton.client(model).encode(TEXTS[:24]).vectors, by_transformers(model, TEXTS[:24]))
    assert found.mean() >= 0.99
    assert found.min() >= 0.97


def test_int8_says_what_to_install(triton: TritonServer, tmp_path: Path) -> None:
    """Nothing is exported where the models' environment cannot quantize."""
    home = TritonHome(tmp_path)
    model = resolve(Encoder(encoder="small", model="models/tiny", precision="int8"), triton.root)
    with pytest.raises(TritonNotInstalled, match="limner triton install --int8"):
        serving.build_all(home, [model])
    assert not home.repository.exists()


@pytest.mark.parametrize(("pooling", "normalize"), [("cls", True), ("max", False)])
def test_pooling_and_normalization_are_as_declared(triton: TritonServer, pooling: str, normalize: bool) -> None:
    """Each pooling gives what its name says, length included."""
    encoder = Encoder.model_validate(
        {
            "encoder": f"tiny_{pooling}_{normalize}".lower(),
            "model": "models/tiny",
            "max_tokens": 32,
            "precision": "float32",
            "pooling": pooling,
            "normalize": normalize,
        }
    )
    model = triton.serve(encoder)
    vectors = triton.client(model).encode(TEXTS).vectors
    np.testing.assert_allclose(vectors, by_transformers(model, TEXTS, pooling), atol=2e-4)


LONG = [
    " ".join(["the big red cheese", "a small fresh bread", "blue milk of beauty"][n % 3] for n in range(count)) + end
    for count in (0, 1, 6, 7, 8, 9, 20, 40, 200)
    for end in ("", " snack", " 12 snacks, deli!")
]


def piecewise(model: EncoderModel, texts: Sequence[str]) -> np.ndarray:
    """Cut the tokens of each text by hand, encode each piece alone, and weigh it by the tokens it adds."""
    import torch
    from tokenizers import Tokenizer
    from transformers import AutoModel

    tokenizer = Tokenizer.from_file(str(model.folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    first, last = tokenizer.encode("").ids
    bert = AutoModel.from_pretrained(str(model.folder)).float().eval()
    room, vectors = model.max_tokens - 2, []
    with torch.inference_mode():
        for text in texts:
            ids = tokenizer.encode(text, add_special_tokens=False).ids
            total, start, seen = 0.0, 0, 0
            for _ in range(model.split_most):
                piece = ids[start : start + room]
                hidden = bert(input_ids=torch.tensor([[first, *piece, last]])).last_hidden_state[0]
                pooled = hidden.mean(0) if model.pooling == "mean" else hidden[0]
                vector = torch.nn.functional.normalize(pooled, dim=-1) if model.normalize else pooled
                fresh = start + len(piece) - seen
                total, seen = total + vector * max(fresh, 1), start + len(piece)
                if seen == len(ids):
                    break
                start += room - model.split_overlap
            joined = total / max(seen, 1)
            vectors.append(torch.nn.functional.normalize(joined, dim=-1) if model.normalize else joined)
    return torch.stack(vectors).numpy()


def split_encoder(triton: TritonServer, **keys: object) -> EncoderModel:
    """A tiny encoder that splits, served."""
    encoder = {"model": "models/tiny", "max_tokens": 32, "precision": "float32", "split": {"overlap": 8, "most": 4}}
    return triton.serve(Encoder.model_validate({"encoder": "tiny_split", **encoder, **keys}))


@pytest.mark.parametrize("keys", [{}, {"encoder": "tiny_split_raw", "normalize": False, "pooling": "cls"}], ids=str)
def test_long_texts_are_encoded_in_overlapping_pieces(triton: TritonServer, keys: dict[str, object]) -> None:
    """As transformers encodes each piece; what lies beyond the last piece does not count."""
    model = split_encoder(triton, **keys)
    encoded = triton.client(model).encode(LONG)
    assert encoded.failures == {}
    expected = piecewise(model, LONG)
    assert cosines(encoded.vectors, expected).min() >= 0.9999
    np.testing.assert_allclose(encoded.vectors, expected, atol=2e-4)


def test_splitting_leaves_short_texts_as_they_are(triton: TritonServer) -> None:
    """A text of one piece has the vector of an encoder that does not split; a longer one has another."""
    model = split_encoder(triton)
    short, long = [text for text in LONG if len(text.split()) <= 20], [LONG[-1]]
    client, plain = triton.client(model), triton.client(triton.models["tiny"])
    np.testing.assert_allclose(client.encode(short).vectors, plain.encode(short).vectors, atol=1e-5)
    assert cosines(client.encode(long).vectors, plain.encode(long).vectors).max() < 0.999


def test_pieces_do_not_depend_on_what_is_encoded_beside_them(triton: TritonServer) -> None:
    """A request's vectors are the same bytes alone and among others, long texts or short."""
    model = split_encoder(triton)
    texts = [f"{text} {n}" for n in range(8) for text in LONG]
    starts = range(0, len(texts), 36)
    client = triton.client(model, in_flight=1)
    alone = [client.encode(texts[start : start + 36]).vectors for start in starts]
    with ThreadPoolExecutor(6) as pool:
        crowded = list(pool.map(lambda start: client.encode(texts[start : start + 36]).vectors, starts))
    for one, other in zip(alone, crowded, strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_engine_for_gpus_gives_the_same_vectors(triton: TritonServer) -> None:
    """The torch engine, here on a CPU in float32, reads the same files and agrees with the served one."""
    model = triton.models["tiny"]
    folder = triton.home.repository / model.name / model.version
    code = (
        "import json, sys; from pathlib import Path; from encoder import BertEncoder, Options\n"
        "options = Options(dim=32, max_tokens=32, precision='float32', engine='torch', threads=1, token_budget=256)\n"
        "encoder = BertEncoder(Path('weights'), options, 'cpu')\n"
        "print(json.dumps(encoder.encode(json.load(sys.stdin)).tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, input=json.dumps(TEXTS), capture_output=True, text=True, check=True
    )
    np.testing.assert_allclose(json.loads(done.stdout), triton.client(model).encode(TEXTS).vectors, atol=1e-4)


def test_the_server_counts_each_text_once(triton: TritonServer) -> None:
    """The rows sent are the rows the server's own statistics show."""
    model = triton.models["tiny"]
    client = triton.client(model)
    before = triton.server_rows(model)
    done: list[int] = []
    client.encode([f"milk {number}" for number in range(777)], on_rows=done.append)
    assert triton.server_rows(model) - before == 777
    assert sum(done) == 777


def test_texts_of_many_requests_come_back_in_order(triton: TritonServer) -> None:
    """Requests in flight overtake one another; rows never change places."""
    model = triton.models["tiny"]
    texts = [f"big {number} snack {'a ' * (number % 29)}" for number in range(600)]
    together = triton.client(model, rows_per_request=64, in_flight=8).encode(texts).vectors
    np.testing.assert_allclose(together[::40], by_transformers(model, texts[::40]), atol=1e-4)


def test_a_requests_vectors_do_not_depend_on_what_is_encoded_beside_it(triton: TritonServer) -> None:
    """To the last bit: a run that was killed and begun again stores what an undisturbed one would."""
    model = triton.minilm("auto")
    texts = [" ".join(["good", "milk", "and", "bread"][: 1 + n % 4] * (1 + n % 7)) + f" {n}" for n in range(200)]
    alone = [triton.client(model, in_flight=1).encode(texts[start : start + 40]).vectors for start in range(0, 200, 40)]
    with ThreadPoolExecutor(5) as pool:
        client = triton.client(model, in_flight=1)
        crowded = list(pool.map(lambda start: client.encode(texts[start : start + 40]).vectors, range(0, 200, 40)))
    for one, other in zip(alone, crowded, strict=True):
        assert one.tobytes() == other.tobytes()


def test_programs_can_be_started_while_texts_are_encoded(triton: TritonServer) -> None:
    """Ray starts its processes from a process whose threads may be in a call to Triton: each must come to life."""
    model = triton.models["tiny"]
    done = threading.Event()

    def encode() -> None:
        while not done.is_set():
            triton.client(model).encode(["milk", "bread"])

    with ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(encode) for _ in range(3)]
        codes = [subprocess.Popen(["true"], preexec_fn=os.getpid).wait(30) for _ in range(400)]  # noqa: PLW1509
        done.set()
        for call in calls:
            call.result()
    assert codes == [0] * 400


def test_a_text_that_is_no_unicode_fails_alone(triton: TritonServer) -> None:
    """A lone surrogate fails with its reason; its neighbours get their vectors."""
    model = triton.models["tiny"]
    encoded = triton.client(model).encode(["milk", "bad \ud800 text", "bread"])
    assert list(encoded.failures) == [1]
    assert "not valid Unicode" in encoded.failures[1]
    assert np.isnan(encoded.vectors[1]).all()
    assert np.isfinite(encoded.vectors[[0, 2]]).all()


def test_a_bad_request_does_not_poison_its_batch(triton: TritonServer) -> None:
    """Invalid UTF-8 fails its own request as the sender's fault, while others are answered."""
    model = triton.models["tiny"]
    transport = GrpcTransport(triton.settings.url)
    with pytest.raises(TransportError) as caught:
        transport.infer(model.name, model.version, [b"good", b"\xff\xfe"], 5.0)
    assert caught.value.fault is Fault.BAD_TEXT
    assert transport.infer(model.name, model.version, [b"good"], 5.0).shape == (1, model.dim)


def test_a_malformed_request_is_a_bug(triton: TritonServer) -> None:
    """More rows than the model takes cannot be mended by trying again; the model survives."""
    model = triton.models["tiny"]
    transport = GrpcTransport(triton.settings.url)
    with pytest.raises(TransportError) as caught:
        transport.infer(model.name, model.version, [b"milk"] * 1025, 5.0)
    assert caught.value.fault is Fault.BUG
    triton.client(model).check()


def test_another_fingerprint_is_refused(triton: TritonServer) -> None:
    """A client whose spec asks for other vectors gets none, and is told what to do."""
    model = triton.models["tiny"]
    other = replace(model, fingerprint="0" * 64)
    with pytest.raises(EncoderUnavailable, match=r"spec asks for 000000000000.*limner triton up"):
        triton.client(other).check()
    with pytest.raises(EncoderUnavailable, match="limner triton up"):
        triton.client(other).encode(["milk"])


def test_a_changed_encoder_is_reloaded_under_its_new_fingerprint(triton: TritonServer) -> None:
    """Weights that change in place are another encoder; `up` serves them, and only them."""
    folder = write_tiny_bert(triton.root / "models" / "changing")
    encoder = Encoder(encoder="changing", model="models/changing", max_tokens=32, precision="float32")
    before = triton.serve(encoder)
    old = triton.client(before).encode(["milk"]).vectors
    write_tiny_bert(folder, seed=2)
    after = triton.serve(encoder)
    assert after.fingerprint != before.fingerprint
    assert not np.allclose(triton.client(after).encode(["milk"]).vectors, old)
    with pytest.raises(EncoderUnavailable):
        triton.client(before).encode(["milk"])


def test_an_unreachable_server_says_how_to_start_it(triton: TritonServer) -> None:
    """Nobody listens: one message with the address and the command."""
    port = free_ports(1)[0]
    client = triton.client(triton.models["tiny"], url=f"127.0.0.1:{port}", attempts=2)
    with pytest.raises(EncoderUnavailable, match=rf"127.0.0.1:{port} does not answer.*limner triton up"):
        client.check()
    with pytest.raises(EncoderUnavailable, match="limner triton up"):
        client.encode(["milk"])


def test_an_encoder_that_is_not_served_says_so(triton: TritonServer) -> None:
    """A spec's new encoder needs `up` before it can be used."""
    model = replace(triton.models["tiny"], name="nobody")
    with pytest.raises(EncoderUnavailable, match=r"does not serve encoder 'nobody'.*limner triton up"):
        triton.client(model).check()


def test_up_again_does_nothing(triton: TritonServer) -> None:
    """A healthy server is left alone: same process, nothing said."""
    before = server.find(triton.home)
    said: list[str] = []
    found = serving.up(triton.home, triton.settings, [triton.models["tiny"]], said.append, triton_fast())
    assert said == []
    assert [health.ok for health in found] == [True]
    assert server.find(triton.home) == before


def triton_fast() -> serving.Serving:
    """Return the settings the session's server was built with."""
    from tests.integration.triton_server import FAST

    return FAST


def test_a_taken_port_is_named_with_its_option(triton: TritonServer, tmp_path: Path) -> None:
    """A port that something listens on is a message with the way out."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(TritonFailed, match=rf"port {port} is taken.*--http-port"):
            server.require_free_ports(
                TritonHome(tmp_path), replace(triton.settings.at(free_ports(1)[0]), http_port=port)
            )


def test_a_weight_file_that_cannot_be_read_fails_the_load_with_its_reason(triton: TritonServer) -> None:
    """A load that fails says why, and the encoders served before keep answering."""
    model = resolve(Encoder(encoder="broken", model="models/tiny", precision="float32"), triton.root)
    serving.build(model, triton.home, triton_fast())
    graph = triton.home.repository / "broken" / model.version / "weights" / "graph.onnx"
    graph.unlink()  # it is a link to what the encoder "tiny" uses
    graph.write_bytes(b"not a graph")
    with pytest.raises(TritonFailed, match="broken"):
        serving.up(triton.home, triton.settings, [model], serving=triton_fast())
    triton.client(triton.models["tiny"]).check()


# The rest breaks its own server, in this order.


def stub_of(own: TritonServer) -> Process:
    """Return the model process of a server with one model."""
    running = server.find(own.home)
    assert running is not None
    (stub,) = running.process.children()
    return stub


def test_status_sees_a_dead_model_and_up_mends_it(own_triton: TritonServer) -> None:
    """A killed model process still reports ready; a real inference shows it, and a reload mends it."""
    model = own_triton.models["tiny"]
    stub = stub_of(own_triton)
    stub.signal(signal.SIGKILL)
    assert stub.wait(5.0)
    (health,) = serving.status(own_triton.settings, [model])
    assert health.state == "dead"
    (health,) = own_triton.up()
    assert health.ok


def test_a_run_survives_the_death_of_a_model(own_triton: TritonServer) -> None:
    """A client meets a dead model, has it reloaded and loses nothing."""
    model = own_triton.models["tiny"]
    texts = [f"cheese {number}" for number in range(300)]
    expected = own_triton.client(model).encode(texts).vectors
    stub_of(own_triton).signal(signal.SIGKILL)
    encoded = own_triton.client(model).encode(texts)
    assert encoded.failures == {}
    np.testing.assert_allclose(encoded.vectors, expected, atol=1e-5)


def test_a_client_that_may_not_mend_says_what_to_do(own_triton: TritonServer) -> None:
    """Where model control is not the client's business, the death is reported."""
    stub_of(own_triton).signal(signal.SIGKILL)
    with pytest.raises(EncoderUnavailable, match=r"does not work.*limner triton up"):
        own_triton.client(own_triton.models["tiny"], mend=False).encode(["milk"])
    own_triton.up()


def test_down_leaves_no_process_and_no_shared_memory(own_triton: TritonServer) -> None:
    """SIGTERM ends server and model processes; their regions go too."""
    running, stub = server.find(own_triton.home), stub_of(own_triton)
    assert running is not None
    assert serving.down(own_triton.home)
    assert not running.process.alive()
    assert not stub.alive()
    assert regions(own_triton) == []
    assert not serving.down(own_triton.home)


def test_a_killed_server_is_started_again_and_its_leftovers_swept(own_triton: TritonServer) -> None:
    """After SIGKILL, `up` starts anew and removes the regions the dead server left in /dev/shm."""
    own_triton.up()
    running = server.find(own_triton.home)
    assert running is not None
    client = own_triton.client(own_triton.models["tiny"])
    client.check()
    os.kill(running.process.pid, signal.SIGKILL)
    assert running.process.wait(5.0)
    leftover = Path("/dev/shm") / f"{server.shared_memory_prefix(own_triton.home)}left_by_the_dead"
    leftover.touch()
    own_triton.up()
    assert not leftover.exists()
    client.check()


def regions(own: TritonServer) -> list[Path]:
    """Return the project's shared memory regions."""
    return sorted(Path("/dev/shm").glob(f"{server.shared_memory_prefix(own.home)}*"))
