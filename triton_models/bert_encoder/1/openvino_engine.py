"""The CPU engine: the pooled graph in OpenVINO, in bfloat16 where the processor computes it natively, or in int8."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from batching import cut_bucketed, shapes
from encoder import Floats, MicroBatch, Options
from precision import precision_hint, require_int8

STREAMS = 2
LONE_ROWS = 4


class OpenVinoEngine:
    """STREAMS streams for work, and a one-stream copy on all threads that answers a lone micro-batch sooner.

    OpenVINO compiles for each new (rows, length), 5 to 10 ms: only bucketed shapes are run, and all are
    warmed.
    """

    def __init__(self, folder: Path, options: Options) -> None:
        """Compile the folder's graph; raises ValueError for a precision this processor does not compute."""
        core = ov.Core()
        hint = precision_hint(options.precision, core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"))
        int8 = options.precision == "int8"
        if int8:
            require_int8(Path("/proc/cpuinfo").read_text())
        self.name = f"openvino {'int8' if int8 else hint}, {options.threads} threads"
        self.budget = options.token_budget or 512
        self.streams = min(STREAMS, options.threads)
        graph = core.read_model(str(folder / ("graph.xml" if int8 else "graph.onnx")))

        def compiled(streams: int) -> Any:
            # Pinning is off: with another process on the same cores it halves the throughput.
            settings = {
                "INFERENCE_NUM_THREADS": options.threads,
                "NUM_STREAMS": streams,
                "INFERENCE_PRECISION_HINT": hint,
                "ENABLE_CPU_PINNING": False,
            }
            return core.compile_model(graph, "CPU", settings)

        self.queue = ov.AsyncInferQueue(compiled(self.streams), self.streams)
        self.queue.set_callback(self._done)
        self.lone = compiled(1).create_infer_request()
        self.error: Exception | None = None

    def cut(self, lengths: Sequence[int]) -> list[int]:
        """Row counts from the warmed shapes."""
        return cut_bucketed(lengths, self.budget, self.streams)

    def run(self, batches: Iterator[MicroBatch], out: Floats, lone: bool = True) -> None:
        """Write the vectors into `out`; raises the first error of any stream."""
        self.error = None
        for batch in batches:
            inputs = {"input_ids": batch.ids, "attention_mask": batch.mask}
            if lone and len(batch.index) == len(out) <= LONE_ROWS:
                out[batch.index] = self.lone.infer(inputs)[0]
                return
            self.queue.start_async(inputs, (batch.index, out))
        self.queue.wait_all()
        if self.error is not None:
            raise self.error

    def warm(self, max_tokens: int, everything: bool) -> None:
        """Run every shape on each stream, or only the shortest ones."""
        for rows, length in shapes(max_tokens if everything else 4, self.budget):
            inputs = {
                "input_ids": np.ones((rows, length), np.int64),
                "attention_mask": np.ones((rows, length), np.int64),
            }
            for _ in range(self.streams):
                self.queue.start_async(inputs, None)
            self.queue.wait_all()
            if rows <= LONE_ROWS:
                self.lone.infer(inputs)

    def _done(self, request: Any, target: tuple[Any, Floats] | None) -> None:
        """Copy a finished micro-batch; an exception here would vanish in OpenVINO's thread, so it is kept."""
        try:
            if target is not None:
                index, out = target
                out[index] = request.get_output_tensor(0).data
        except Exception as error:  # noqa: BLE001
            self.error = error
