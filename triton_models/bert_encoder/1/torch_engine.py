"""The GPU engine: transformers in half precision, in batches of many tokens. It also runs on a CPU, to compare.

Texts come sorted by length, so a batch filled with tokens up to the budget has about 4 % padding: as little as kernels
for packed texts would save. The GPU is waited for once a call, when its vectors are copied back.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from batching import cut_by_budget
from encoder import Floats, MicroBatch, Options
from replay import Recorder, Replays

LONE_ROWS = 4


class TorchEngine:
    """A transformers encoder, its pooling and its normalization on one device."""

    def __init__(self, folder: Path, options: Options, device: str) -> None:
        """Load the model in `folder`; raises ValueError for an unknown precision."""
        from transformers import AutoModel

        self.options = options
        self.device = torch.device(device)
        kind = precision_type(options.precision, self.device.type)
        self.name = f"torch {str(kind).removeprefix('torch.')} on {device}"
        on_gpu = self.device.type == "cuda"
        self.budget = options.token_budget or (32768 if on_gpu else 2048)
        if on_gpu:
            torch.cuda.set_device(self.device)
        else:
            torch.set_num_threads(options.threads)
        self.model = AutoModel.from_pretrained(str(folder), attn_implementation="sdpa").eval().to(self.device, kind)
        self.head = read_head(folder, self.device)
        # A request of a few texts is over sooner than its kernels can be launched one by one.
        self.replays = Replays(self.vectors, self.device, Recorder()) if on_gpu else None

    def cut(self, lengths: Sequence[int]) -> list[int]:
        """As few batches as the token budget allows."""
        return cut_by_budget(lengths, self.budget)

    def run(self, batches: Iterator[MicroBatch], out: Floats, lone: bool = True) -> None:
        """Queue every micro-batch, then copy all vectors at once."""
        found = torch.empty(out.shape, dtype=torch.float32, device=self.device)
        with torch.inference_mode():
            for batch in batches:
                if lone and self.replays is not None and len(batch.index) == len(out) <= LONE_ROWS:
                    out[batch.index] = self.replays(batch.ids, batch.mask)
                    return
                vectors = self.vectors(self.on_device(batch.ids), self.on_device(batch.mask))
                found.index_copy_(0, self.on_device(batch.index), vectors)
            out[:] = found.cpu().numpy()

    def warm(self, max_tokens: int, everything: bool) -> None:
        """Hold the memory of the largest batch from the start, and record the requests of a few texts."""
        if self.device.type != "cuda" or not everything:
            return
        rows = max(1, self.budget // max_tokens)
        full = np.ones((rows, max_tokens), np.int64)
        self.run(iter([MicroBatch(np.arange(rows), full, full)]), np.empty((rows, self.options.dim), np.float32), False)
        if self.replays is not None:
            self.replays.record(max_tokens, LONE_ROWS)

    def vectors(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """One float32 vector a row of int64 `ids` and `mask`, [rows, tokens] on the device; nothing is waited for."""
        # As [rows, 1, 1, tokens] the mask is used as it is. Transformers would look whether a flat one masks anything,
        # and so wait for the GPU at each batch.
        whole = mask.bool()[:, None, None, :].expand(-1, 1, ids.shape[1], -1)
        hidden = self.model(input_ids=ids, attention_mask=whole).last_hidden_state.float()
        vectors = pool(hidden, mask, self.options.pooling, self.options.normalize)
        return vectors if self.head is None else torch.softmax(self.head(vectors), dim=-1)

    def on_device(self, array: "np.ndarray[tuple[int, ...], np.dtype[np.int64]]") -> torch.Tensor:
        """Start the copy of an array to the device."""
        tensor = torch.from_numpy(array)
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor


def read_head(folder: Path, device: torch.device) -> "torch.nn.Linear | None":
    """What makes probabilities of classes of pooled vectors, where the encoder was tuned to tell them; in float32."""
    path = folder / "head.safetensors"
    if not path.is_file():
        return None
    from safetensors.torch import load_file

    state = load_file(path)
    head = torch.nn.Linear(state["weight"].shape[1], state["weight"].shape[0])
    head.load_state_dict(state)
    return head.eval().to(device)


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
    if precision == "int8":
        raise ValueError("precision int8 is for the CPU's engine: on a GPU choose auto, which is float16")
    known = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if precision not in known:
        raise ValueError(f"precision {precision!r}: expected auto, float32, bfloat16, float16 or int8")
    return known[precision]
