"""The client's patience and its judgement, with a transport that fails as told."""

import pickle
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from limner.workers.encoder import patience
from limner.workers.encoder.client import PROBE, TritonEncoder
from limner.workers.encoder.errors import EncoderUnavailable
from limner.workers.encoder.resolve import EncoderModel
from limner.workers.encoder.settings import TritonSettings
from limner.workers.encoder.transport import Fault, Floats, TransportError, sort_fault

MODEL = EncoderModel("tiny", Path("/nowhere"), "mean", 32, True, "", "float32", 2, "ab" * 32)


class FakeTriton:
    """Answers each text with (its number of bytes, 1); `fail` may raise first, told the texts and the call's number."""

    def __init__(self, fail: Callable[[Sequence[bytes], int], None] = lambda texts, call: None) -> None:
        self.fail = fail
        self.calls: list[list[bytes]] = []
        self.mended: list[str] = []
        self.outstanding = self.most_outstanding = 0
        self.lock = threading.Lock()

    def infer(self, model: str, version: str, texts: Sequence[bytes], timeout: float) -> Floats:
        assert timeout > 0
        with self.lock:
            self.calls.append(list(texts))
            call = len(self.calls)
            self.outstanding += 1
            self.most_outstanding = max(self.most_outstanding, self.outstanding)
        try:
            self.fail(texts, call)
            return np.array([[len(text), 1] for text in texts], np.float32)
        finally:
            with self.lock:
                self.outstanding -= 1

    def parameters(self, model: str, version: str = "") -> dict[str, str]:
        return {"FINGERPRINT": MODEL.fingerprint}

    def live(self, timeout: float = 1.0) -> bool:
        return True

    def load(self, model: str, timeout: float = 300.0) -> None:
        self.mended.append(f"load {model}")

    def unload(self, model: str, timeout: float = 60.0) -> None:
        self.mended.append(f"unload {model}")

    def rows(self, model: str) -> int:
        return sum(map(len, self.calls))


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.0)


def client(fake: FakeTriton, **settings: object) -> TritonEncoder:
    return TritonEncoder(TritonSettings.from_mapping({"attempts": 4, **settings}), MODEL, fake)


def failing(fault: Fault, when: Callable[[Sequence[bytes], int], bool], message: str = "no") -> FakeTriton:
    def fail(texts: Sequence[bytes], call: int) -> None:
        if when(texts, call):
            raise TransportError(fault, message)

    return FakeTriton(fail)


def test_vectors_come_back_in_the_order_of_the_texts() -> None:
    """Whatever the requests were."""
    texts = ["x" * (number % 50) for number in range(1, 1000)]
    encoded = client(FakeTriton(), rows_per_request=64).encode(texts)
    assert encoded.failures == {}
    assert encoded.vectors[:, 0].tolist() == [len(text) for text in texts]


def test_no_more_requests_are_outstanding_than_allowed() -> None:
    """Back-pressure by permit: `in_flight` bounds what the server is asked at once."""
    together = threading.Barrier(3, timeout=5)
    fake = FakeTriton(lambda texts, call: None if call > 3 else (together.wait(), None)[1])
    client(fake, rows_per_request=64, in_flight=3).encode(["a"] * 1000)
    assert fake.most_outstanding == 3


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.TIMEOUT, Fault.MISSING])
def test_what_may_pass_is_tried_again(fault: Fault) -> None:
    """A full queue, a restart, a deadline, a model being loaded: the same request is sent again."""
    fake = failing(fault, lambda texts, call: call <= 3)
    assert client(fake).encode(["milk"]).failures == {}
    assert fake.calls == [[b"milk"]] * 4


def test_patience_ends_with_what_to_do() -> None:
    """After the last attempt the run fails, with the command that helps, and nothing is quarantined."""
    fake = failing(Fault.UNAVAILABLE, lambda texts, call: True, "Connection refused")
    with pytest.raises(EncoderUnavailable, match=r"Connection refused.*limner triton up"):
        client(fake).encode(["milk"])
    assert len(fake.calls) == 4


def test_a_malformed_request_is_a_bug_and_is_sent_once() -> None:
    """Trying again cannot help, and the user cannot either."""
    fake = failing(Fault.BUG, lambda texts, call: True)
    with pytest.raises(RuntimeError, match="malformed"):
        client(fake).encode(["milk"])
    assert len(fake.calls) == 1


@pytest.mark.parametrize("fault", [Fault.BAD_TEXT, Fault.ENGINE])
def test_a_bad_text_is_found_by_halving_and_fails_alone(fault: Fault) -> None:
    """One of 64 texts fails with the server's reason; 63 get their vectors."""
    fake = failing(fault, lambda texts, call: b"poison" in texts, "cannot encode this")
    texts = [f"text {number}" for number in range(64)]
    texts[41] = "poison"
    encoded = client(fake).encode(texts)
    assert encoded.failures == {41: "cannot encode this"}
    assert np.isnan(encoded.vectors[41]).all()
    assert np.isfinite(np.delete(encoded.vectors, 41, axis=0)).all()


def test_a_text_that_kills_the_model_fails_alone_and_the_model_is_mended() -> None:
    """The process dies whenever it sees the text; it is loaded again, and the text is quarantined."""
    dead = threading.Event()

    def fail(texts: Sequence[bytes], call: int) -> None:
        if b"poison" in texts:
            dead.set()
        if dead.is_set():
            raise TransportError(Fault.DEAD, "Stub process 'tiny_0_0' is not healthy.")

    fake = FakeTriton(fail)

    def load(model: str, timeout: float = 300.0) -> None:
        dead.clear()

    fake.load = load  # type: ignore[method-assign]
    encoded = client(fake).encode(["a", "b", "poison", "c"])
    assert encoded.failures == {2: "Stub process 'tiny_0_0' is not healthy."}
    assert not dead.is_set()


def test_a_server_that_fails_on_every_text_is_an_error_not_a_quarantine() -> None:
    """When even a plain text fails, the texts are not to blame."""
    fake = failing(Fault.ENGINE, lambda texts, call: True, "out of memory")
    with pytest.raises(EncoderUnavailable, match=r"out of memory.*limner triton up"):
        client(fake).encode(["milk", "bread"])


@pytest.mark.parametrize("number", [np.nan, np.inf, 0.0])
def test_a_vector_that_is_none_is_a_failure(number: float) -> None:
    """Not finite or all zero: the text fails, the vector is never passed on."""

    class Odd(FakeTriton):
        def infer(self, model: str, version: str, texts: Sequence[bytes], timeout: float) -> Floats:
            vectors = super().infer(model, version, texts, timeout)
            vectors[[text == b"odd" for text in texts]] = number
            return vectors

    encoded = client(Odd()).encode(["milk", "odd"])
    assert list(encoded.failures) == [1]
    assert np.isnan(encoded.vectors[1]).all()


def test_only_nonsense_vectors_are_an_error() -> None:
    """An engine that overflows on everything is broken; its texts are not quarantined."""

    class Broken(FakeTriton):
        def infer(self, model: str, version: str, texts: Sequence[bytes], timeout: float) -> Floats:
            return np.full((len(texts), 2), np.nan, np.float32)

    with pytest.raises(EncoderUnavailable, match="not finite"):
        client(Broken()).encode(["milk"])


def test_a_dead_model_is_left_alone_where_mending_is_not_allowed() -> None:
    """`mend: false`: the error says what to do, and the model-control API is not touched."""
    fake = failing(Fault.DEAD, lambda texts, call: True, "is not healthy")
    with pytest.raises(EncoderUnavailable, match="limner triton up"):
        client(fake, mend=False).encode(["milk"])
    assert fake.mended == []


def test_no_text_means_no_call() -> None:
    """An empty list does not even open a channel."""
    fake = FakeTriton()
    assert client(fake).encode([]).vectors.shape == (0, 2)
    assert fake.calls == []


def test_a_failure_in_one_request_stops_the_others() -> None:
    """The first error ends the call; requests not yet sent are not sent."""
    fake = failing(Fault.BUG, lambda texts, call: call == 1)
    with pytest.raises(RuntimeError):
        client(fake, rows_per_request=64, in_flight=1).encode(["a"] * 6400)
    assert len(fake.calls) < 100


def test_an_encoder_can_be_sent_to_a_worker() -> None:
    """Pickling leaves the channel behind."""
    copy = pickle.loads(pickle.dumps(client(FakeTriton())))
    assert copy.model == MODEL
    assert copy.version == MODEL.version


def test_check_asks_for_a_real_inference() -> None:
    """Readiness is not believed."""
    fake = FakeTriton()
    client(fake).check()
    assert fake.calls == [[PROBE]]


@pytest.mark.parametrize(
    ("status", "message", "fault"),
    [
        ("StatusCode.UNAVAILABLE", "failed to connect to all addresses", Fault.UNAVAILABLE),
        ("StatusCode.UNAVAILABLE", "Exceeds maximum queue size", Fault.UNAVAILABLE),
        ("StatusCode.DEADLINE_EXCEEDED", "Deadline Exceeded", Fault.TIMEOUT),
        ("StatusCode.INTERNAL", "Stub process 'minilm_0_0' is not healthy.", Fault.DEAD),
        ("StatusCode.INVALID_ARGUMENT", "in ensemble: bad text: invalid start byte", Fault.BAD_TEXT),
        ("StatusCode.INVALID_ARGUMENT", "inference request batch-size must be <= 1024", Fault.BUG),
        ("StatusCode.UNAVAILABLE", "Request for unknown model: 'x' is not found", Fault.MISSING),
        ("StatusCode.INTERNAL", "RuntimeError: out of memory", Fault.ENGINE),
    ],
)
def test_faults_are_sorted_by_what_helps(status: str, message: str, fault: Fault) -> None:
    """The server's words, as this Triton says them."""
    assert sort_fault(status, message) is fault


def test_pauses_grow_and_are_bounded() -> None:
    """From half a second, doubling to eight, less up to a half by chance."""
    patience.FIRST_PAUSE = 0.5
    assert [patience.pause_seconds(attempt, 0.0) for attempt in (1, 2, 3, 6, 9)] == [0.5, 1, 2, 8, 8]
    assert patience.pause_seconds(3, 1.0) == 1.0
