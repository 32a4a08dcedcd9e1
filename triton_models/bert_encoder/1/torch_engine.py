"""The GPU engine: transformers in half precision over large batches. It also runs on a CPU, to compare."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from batching import cut_by_budget
from encoder import Floats, MicroBatch, Options


class TorchEngine:
    """A transformers encoder, its pooling and its normalization on one device."""

    def __init__(self, folder: Path, options: Options, device: str) -> None:
        """Load the model in `folder`; raises ValueError for an unknown precision."""
        from transformers import AutoModel

        self.options = options
        self.device = torch.device(device)
        kind = precision_type(options.precision, self.device.type)
        self.name = f"torch {str(kind).removeprefix('torch.')} on {device}"
        self.budget = options.token_budget or (32768 if self.device.type == "cuda" else 2048)
        if self.device.type == "cpu":
            torch.set_num_threads(options.threads)
        self.model = AutoModel.from_pretrained(str(folder)).eval().to(self.device, kind)

    def cut(self, lengths: Sequence[int]) -> list[int]:
        """As few batches as the token budget allows."""
        return cut_by_budget(lengths, self.budget)

    def run(self, batches: Iterator[MicroBatch], out: Floats, lone: bool = True) -> None:
        """Queue every micro-batch, then copy: the device is never waited for in between."""
        results = []
        with torch.inference_mode():
            for batch in batches:
                ids, mask = self._to_device(batch.ids), self._to_device(batch.mask)
                hidden = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
                results.append((batch.index, pool(hidden, mask, self.options.pooling, self.options.normalize)))
            for index, vectors in results:
                out[index] = vectors.cpu().numpy()

    def warm(self, max_tokens: int, everything: bool) -> None:
        """The first real texts warm torch: it compiles nothing per shape."""

    def _to_device(self, array: Any) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


def pool(hidden: torch.Tensor, mask: torch.Tensor, pooling: str, normalize: bool) -> torch.Tensor:
    """Reduce [rows, tokens, dim] to [rows, dim] over unmasked tokens; L2-normalized if asked."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    if pooling == "mean":
        vectors = (hidden * weights).sum(1) / weights.sum(1)
    elif pooling == "max":
        vectors = hidden.masked_fill(weights == 0, float("-inf")).amax(1)
    elif pooling == "cls":
        vectors = hidden[:, 0]
    else:
        raise ValueError(f"pooling {pooling!r}: expected mean, cls or max")
    return torch.nn.functional.normalize(vectors, dim=-1) if normalize else vectors


def precision_type(precision: str, device: str) -> torch.dtype:
    """The dtype a spec's precision means: `auto` is half precision on a GPU and float32 on a CPU."""
    if precision == "auto":
        return torch.float16 if device == "cuda" else torch.float32
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision not in known:
        raise ValueError(f"precision {precision!r}: expected auto, float32, bfloat16 or float16")
    return known[precision]
