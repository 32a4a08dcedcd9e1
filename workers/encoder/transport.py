"""Triton's gRPC calls, each with a deadline and each failure sorted by what can be done about it.

The only file that imports tritonclient.
"""

import os
import weakref
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# With gRPC's fork handlers a child forked while another thread is in a call dies with SIGABRT before its program starts
# (4 % of them, gRPC 1.85): Ray, started after a first inference, lost processes that way. Must be set before gRPC is
# imported by anybody, so cli/main.py sets it too; whoever forks here starts another program, which needs no handlers.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

# What the served model puts in front of its message when one request's texts are at fault.
BAD_TEXT = "bad text: "


class Fault(Enum):
    """Why a call failed, and so what helps."""

    UNAVAILABLE = auto()  # no server, a restart, a full queue: wait and try again
    TIMEOUT = auto()  # the deadline passed: wait and try again
    MISSING = auto()  # the server does not have this model or this version of it
    DEAD = auto()  # the model's process died and stays dead until it is loaded again
    BAD_TEXT = auto()  # a text of this request
    ENGINE = auto()  # the model raised
    BUG = auto()  # a malformed request: trying again cannot help


class TransportError(Exception):
    """A failed call; the text is the server's own message. `at`: the connection, where there are several."""

    def __init__(self, fault: Fault, message: str) -> None:
        self.fault = fault
        self.at: Transport | None = None
        super().__init__(message)


class Transport(Protocol):
    """What is needed of Triton, at the address `url`. Every call raises TransportError and nothing else."""

    url: str

    def infer(self, model: str, version: str, texts: Sequence[bytes], timeout: float) -> Floats:
        """Vectors [n, dim] of n UTF-8 texts."""

    def parameters(self, model: str, version: str = "") -> dict[str, str]:
        """The loaded model's config parameters."""

    def live(self, timeout: float = 1.0) -> bool:
        """Whether a server answers at all."""

    def load(self, model: str, timeout: float = 300.0) -> None:
        """Load the model, or what has changed of it; the old instance serves until the new one is ready."""

    def unload(self, model: str, timeout: float = 60.0) -> None:
        """Unload the model; it can be loaded again at once."""

    def rows(self, model: str) -> int:
        """Texts inferred since the model was loaded, as the server counts them."""


class GrpcTransport:
    """A connection of its own to one address. Threads may share it; it is not passed between processes."""

    def __init__(self, url: str) -> None:
        from tritonclient.grpc import InferenceServerClient

        class Client(InferenceServerClient):  # type: ignore[misc]
            """Its own `__del__` fails noisily at the interpreter's end; the finalizer below does its work in time."""

            def __del__(self) -> None:
                pass

        # A channel left alone backs off for up to two minutes, much longer than a restart takes.
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 1000),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self.url = url
        self.client = Client(url, channel_args=options)
        self._finalizer = weakref.finalize(self, self.client.close)

    def close(self) -> None:
        """Close the channel."""
        self._finalizer()

    def infer(self, model: str, version: str, texts: Sequence[bytes], timeout: float) -> Floats:
        """Send one request, whose vectors shall depend on its own texts alone, to the last bit."""
        from tritonclient.grpc import InferInput, InferRequestedOutput

        tensor = InferInput("TEXT", [len(texts), 1], "BYTES")
        tensor.set_data_from_numpy(np.array(texts, dtype=np.object_).reshape(-1, 1))
        result = self._call(
            self.client.infer,
            model,
            [tensor],
            model_version=version,
            outputs=[InferRequestedOutput("EMBEDDING")],
            client_timeout=timeout,
            parameters={"reproducible": True},
        )
        vectors: Floats = result.as_numpy("EMBEDDING")
        return vectors

    def parameters(self, model: str, version: str = "") -> dict[str, str]:
        """Ask for the model's config; `DEVICE` is where its instances run, gpu or cpu."""
        config = self._call(self.client.get_model_config, model, version, client_timeout=5.0).config
        kinds = {group.Kind.Name(group.kind) for group in config.instance_group}
        device = {"DEVICE": "gpu" if "KIND_GPU" in kinds else "cpu"}
        return device | {key: value.string_value for key, value in config.parameters.items()}

    def live(self, timeout: float = 1.0) -> bool:
        """Ask for liveness; an unreachable server is not live."""
        try:
            return bool(self._call(self.client.is_server_live, client_timeout=timeout))
        except TransportError:
            return False

    def load(self, model: str, timeout: float = 300.0) -> None:
        """Load through the model-control API."""
        self._call(self.client.load_model, model, client_timeout=timeout)

    def unload(self, model: str, timeout: float = 60.0) -> None:
        """Unload through the model-control API; a dead model's remains are "unloading" until the server ends."""
        self._call(self.client.unload_model, model, client_timeout=timeout)

    def rows(self, model: str) -> int:
        """Read `inference_count`, summed over versions."""
        statistics = self._call(self.client.get_inference_statistics, model, client_timeout=5.0)
        return sum(int(version.inference_count) for version in statistics.model_stats)

    def queues(self, timeout: float = 0.5) -> dict[str, tuple[int, float]]:
        """Requests that have left the server's queue so far, and the seconds they waited there, by model."""
        statistics = self._call(self.client.get_inference_statistics, client_timeout=timeout)
        found: dict[str, tuple[int, float]] = {}
        for each in statistics.model_stats:
            count, seconds = found.get(each.name, (0, 0.0))
            queue = each.inference_stats.queue
            found[each.name] = count + int(queue.count), seconds + queue.ns / 1e9
        return found

    def _call(self, method: Any, *arguments: Any, **keywords: Any) -> Any:
        from tritonclient.utils import InferenceServerException

        try:
            return method(*arguments, **keywords)
        except InferenceServerException as error:
            message = str(error.message())
            raise TransportError(sort_fault(str(error.status()), message), message) from error


def sort_fault(status: str, message: str) -> Fault:
    """Sort a gRPC status ("StatusCode.UNAVAILABLE") and Triton's message, as Triton 2.51 words them."""
    code = status.removeprefix("StatusCode.")
    text = message.lower()
    if "unknown model" in text or "unknown version" in text or "failed to find" in text or code == "NOT_FOUND":
        return Fault.MISSING
    if code in ("UNAVAILABLE", "CANCELLED", "RESOURCE_EXHAUSTED"):
        return Fault.UNAVAILABLE
    if code == "DEADLINE_EXCEEDED":
        return Fault.TIMEOUT
    if "is not healthy" in text:
        return Fault.DEAD
    if code == "INVALID_ARGUMENT":
        return Fault.BAD_TEXT if BAD_TEXT in message else Fault.BUG
    return Fault.ENGINE
