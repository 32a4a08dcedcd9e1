"""Triton's Python backend entry: TEXT (UTF-8 strings, [n, 1]) to EMBEDDING (float32, [n, dim]).

One call of `execute` gets all requests that gathered while the previous one ran. Their texts are encoded
together; each request is answered with its own rows, or with its own error.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")

import numpy as np
import triton_python_backend_utils as pb_utils
from encoder import BertEncoder, Floats, Options

# Clients look for this mark: only a request that carries it is cut in halves to find the text at fault.
BAD_TEXT = "bad text: "


def require_numpy_below_2() -> None:
    """Refuse to load where the stub would crash at the first string or read numbers with stride 0.

    The stubs of this Triton build predate NumPy 2; NVIDIA's container brings a stub and a NumPy that fit.
    """
    in_container = "NVIDIA_TRITON_SERVER_VERSION" in os.environ
    if int(np.__version__.split(".")[0]) >= 2 and not in_container:
        raise RuntimeError(f"NumPy {np.__version__}: this Triton stub needs numpy<2; run `limner triton install`")


class TritonPythonModel:
    """One per instance; its weights lie beside this file, wherever the repository is mounted."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load and warm before the model is reported ready; an exception here is the load's error."""
        require_numpy_below_2()
        started = time.perf_counter()
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        options = Options.from_parameters(config["output"][0]["dims"][-1], parameters)
        gpu = args["model_instance_kind"] == "GPU"
        device = f"cuda:{args['model_instance_device_id']}" if gpu else "cpu"
        self.encoder = BertEncoder(Path(__file__).resolve().parent / "weights", options, device)
        seconds = time.perf_counter() - started
        pb_utils.Logger.log_info(f"{config['name']}: {self.encoder.engine.name}, ready in {seconds:.1f} s")

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer every request; no exception may leave, it would fail the requests of other clients too."""
        responses: list[Any] = [None] * len(requests)
        texts: list[str] = []
        spans: list[tuple[int, int, int]] = []
        for number, request in enumerate(requests):
            try:
                decoded = read_texts(request)
            except UnicodeDecodeError as error:
                responses[number] = failure(f"{BAD_TEXT}{error}", pb_utils.TritonError.INVALID_ARG)
                continue
            spans.append((number, len(texts), len(texts) + len(decoded)))
            texts += decoded
        # A request of a materialization asks to be a group of its own: what is stored must not depend on which
        # other requests happened to be there. Small requests of many clients share micro-batches.
        groups = [range(start, stop) for _, start, stop in spans] if any(map(reproducible, requests)) else None
        try:
            vectors = self.encoder.encode(texts, groups)
        except Exception:  # noqa: BLE001
            # Some request's content is at fault: each is encoded alone, so that the others are served.
            for number, start, stop in spans:
                responses[number] = self._alone(texts[start:stop], reproducible(requests[number]))
        else:
            for number, start, stop in spans:
                responses[number] = answer(vectors[start:stop])
        return responses

    def _alone(self, texts: list[str], own_group: bool) -> Any:
        """Answer one request by itself, with its vectors or with its own error."""
        try:
            return answer(self.encoder.encode(texts, [range(len(texts))] if own_group else None))
        except Exception as error:  # noqa: BLE001
            return failure(f"{type(error).__name__}: {error}", pb_utils.TritonError.INTERNAL)


def read_texts(request: Any) -> list[str]:
    """Decode one request's texts; raises UnicodeDecodeError."""
    return [text.decode("utf-8") for text in pb_utils.get_input_tensor_by_name(request, "TEXT").as_numpy().ravel()]


def reproducible(request: Any) -> bool:
    """Whether a request wants vectors that depend on its own texts alone, to the last bit."""
    return bool(json.loads(request.parameters() or "{}").get("reproducible", False))


def answer(vectors: Floats) -> Any:
    """Wrap one request's rows."""
    return pb_utils.InferenceResponse([pb_utils.Tensor("EMBEDDING", vectors)])


def failure(message: str, code: Any) -> Any:
    """Wrap one request's error."""
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
