"""Texts to vectors, in process: tokenize, sort by length, cut into micro-batches, run, restore the order, join pieces.

The served model wraps this class; `limner bench encode` runs it without the server to measure what serving
costs.
"""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class MicroBatch:
    """Rows `index` of the output; `ids` and `mask` are int64 [rows, padded length]."""

    index: Integers
    ids: Integers
    mask: Integers


class Engine(Protocol):
    """Runs micro-batches; which sizes suit it is its own knowledge."""

    name: str

    def cut(self, lengths: Sequence[int]) -> list[int]:
        """Row counts of the micro-batches of texts with these token counts, longest first."""

    def run(self, batches: Iterator[MicroBatch], out: Floats, lone: bool = True) -> None:
        """Write one pooled vector a row into `out`; `lone`: a single small batch may take a quicker way."""

    def warm(self, max_tokens: int, everything: bool) -> None:
        """Run the shapes to come once, so that no request pays for their compilation."""


@dataclass(frozen=True)
class Options:
    """The parameters of the served model's config.pbtxt; see there."""

    dim: int
    pooling: str = "mean"
    normalize: bool = True
    max_tokens: int = 128
    precision: str = "auto"
    engine: str = "auto"
    threads: int = 0
    token_budget: int = 0
    warm: str = "all"
    split_most: int = 1
    split_overlap: int = 0

    @classmethod
    def from_parameters(cls, dim: int, parameters: dict[str, str]) -> "Options":
        """Read Triton's string parameters; raises KeyError for a missing one."""
        return cls(
            dim=dim,
            pooling=parameters["POOLING"],
            normalize=parameters["NORMALIZE"] == "true",
            max_tokens=int(parameters["MAX_TOKENS"]),
            precision=parameters["PRECISION"],
            engine=parameters["ENGINE"],
            threads=int(parameters["THREADS"]) or len(os.sched_getaffinity(0)),
            token_budget=int(parameters["TOKEN_BUDGET"]),
            warm=parameters["WARM"],
            split_most=int(parameters["SPLIT_MOST"]),
            split_overlap=int(parameters["SPLIT_OVERLAP"]),
        )


class BertEncoder:
    """A tokenizer and an engine over a folder of tokenizer.json, config.json, graph.onnx and weights."""

    def __init__(self, folder: Path, options: Options, device: str) -> None:
        """Load everything and warm it; `device` is "cpu" or "cuda:<n>"."""
        from tokenizers import Tokenizer

        self.options = options
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length=options.max_tokens, stride=options.split_overlap)
        self.special = self.tokenizer.num_special_tokens_to_add(is_pair=False)
        self.pad = int(json.loads((folder / "config.json").read_text()).get("pad_token_id") or 0)
        self.engine = load_engine(folder, options, device)
        self.engine.warm(options.max_tokens, everything=options.warm == "all")
        self.encode(["ready", "a somewhat longer text"])

    def encode(self, texts: Sequence[str], groups: Sequence[range] | None = None) -> Floats:
        """One float32 vector a text, [n, dim], in the order given.

        Micro-batches are cut within each of `groups` (positions; default: all texts are one group). The last
        bits of a vector depend on the shape of its micro-batch, so a group's vectors do not depend on what is
        encoded beside it.
        """
        from pieces import cut, join

        encoded = self.tokenizer.encode_batch_fast(list(texts))
        pieces = cut(encoded, self.options.split_most, self.options.split_overlap, self.special)
        out = np.empty((len(pieces.tokens), self.options.dim), np.float32)
        lone = groups is None
        parts = pieces.groups([range(len(texts))] if groups is None else groups)
        self.engine.run((batch for part in parts for batch in self._batches(pieces.tokens, part)), out, lone)
        return join(pieces, out, self.options.normalize)

    def _batches(self, tokens: list[list[int]], part: range) -> Iterator[MicroBatch]:
        """Longest first, so that parallel streams finish together."""
        from batching import length_bucket

        lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
        order = part.start + np.argsort(-lengths[part.start : part.stop], kind="stable")
        start = 0
        for rows in self.engine.cut(lengths[order].tolist()):
            index = order[start : start + rows]
            start += rows
            width = length_bucket(int(lengths[index[0]]))
            ids = np.full((rows, width), self.pad, np.int64)
            mask = np.zeros((rows, width), np.int64)
            for row, position in enumerate(index):
                ids[row, : lengths[position]] = tokens[position]
                mask[row, : lengths[position]] = 1
            yield MicroBatch(index, ids, mask)


def load_engine(folder: Path, options: Options, device: str) -> Engine:
    """Torch on a GPU, OpenVINO on a CPU, unless ENGINE names one."""
    name = options.engine
    if name == "auto":
        name = "torch" if device.startswith("cuda") and find_spec("torch") else "openvino"
    if name == "torch":
        from torch_engine import TorchEngine

        return TorchEngine(folder, options, device)
    if name == "openvino":
        from openvino_engine import OpenVinoEngine

        return OpenVinoEngine(folder, options)
    raise ValueError(f"ENGINE {name!r}: expected auto, openvino or torch")
