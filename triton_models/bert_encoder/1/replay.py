"""Requests of a few texts on a GPU: the launches of each padded shape are recorded once and replayed (CUDA graphs).

A replay reads and writes the memory it was recorded with, so each shape has inputs of its own that requests are copied
into. All but `Recorder` runs on any device.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from batching import length_bucket

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Vectors = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Replay = Callable[[], torch.Tensor]
Record = Callable[[Callable[[], torch.Tensor]], Replay]


class Replays:
    """By shape (rows, length), what was recorded of `vectors` (ids and mask, int64 [rows, length], to [rows, dim])."""

    def __init__(self, vectors: Vectors, device: torch.device, record: Record) -> None:
        self._vectors, self._device, self._record = vectors, device, record
        self._known: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor, Replay]] = {}

    def record(self, max_tokens: int, rows: int) -> None:
        """Record every shape that requests of up to `rows` texts and `max_tokens` tokens come in."""
        lengths = {length_bucket(tokens) for tokens in range(1, max_tokens + 1)}
        for length in sorted(lengths, reverse=True):  # the largest first: the others find room in its memory
            for each in sorted({row_bucket(number) for number in range(1, rows + 1)}, reverse=True):
                self._shape(each, length)

    def __call__(self, ids: Integers, mask: Integers) -> Floats:
        """The vectors of one request; a shape that was not recorded yet is recorded now."""
        rows, tokens = ids.shape
        held_ids, held_mask, replay = self._shape(row_bucket(rows), length_bucket(tokens))
        # Beyond the request: whatever ids were there before, of which the first token counts, lest a mean divide by 0.
        held_mask.zero_()
        held_mask[:, 0] = 1
        held_ids[:rows, :tokens].copy_(torch.from_numpy(ids))
        held_mask[:rows, :tokens].copy_(torch.from_numpy(mask))
        found: Floats = replay()[:rows].cpu().numpy()
        return found

    def _shape(self, rows: int, length: int) -> tuple[torch.Tensor, torch.Tensor, Replay]:
        if (rows, length) not in self._known:
            ids = torch.ones((rows, length), dtype=torch.int64, device=self._device)
            mask = torch.ones_like(ids)
            with torch.inference_mode():
                self._known[rows, length] = ids, mask, self._record(lambda: self._vectors(ids, mask))
        return self._known[rows, length]


def row_bucket(rows: int) -> int:
    """Round up to a power of two."""
    return 1 << (rows - 1).bit_length()


class Recorder:
    """Records on the current GPU. Recordings share memory: no two run at once, and each result is copied at once."""

    def __init__(self) -> None:
        self._memory = torch.cuda.graph_pool_handle()

    def __call__(self, run: Callable[[], torch.Tensor]) -> Replay:
        """Record the launches of `run`, after it has run twice, so that nothing is left to be set up."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):
                run()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory):
            result = run()

        def replay() -> torch.Tensor:
            graph.replay()
            return result

        return replay
