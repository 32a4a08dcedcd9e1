"""Texts as a network takes them: token ids, cut at its limit, filled up to the longest of a batch."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from limner.workers.encoder.export import export_tokenizer

Integers = npt.NDArray[np.int64]


class Tokens:
    """A folder's tokenizer, cutting texts at `max_tokens` as the served model does."""

    def __init__(self, folder: Path, max_tokens: int) -> None:
        from tokenizers import Tokenizer

        with TemporaryDirectory() as place:
            export_tokenizer(folder, Path(place))
            self.tokenizer = Tokenizer.from_file(str(Path(place) / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(max_length=max_tokens)
        self.pad = int(json.loads((folder / "config.json").read_text()).get("pad_token_id") or 0)

    def __call__(self, texts: Sequence[str]) -> list[list[int]]:
        """Token ids of each text."""
        return [each.ids for each in self.tokenizer.encode_batch_fast(list(texts))]

    def filled(self, rows: Sequence[list[int]]) -> tuple[Integers, Integers]:
        """(ids, mask) int64 [rows, longest]."""
        longest = max(map(len, rows))
        ids = np.full((len(rows), longest), self.pad, np.int64)
        mask = np.zeros((len(rows), longest), np.int64)
        for number, row in enumerate(rows):
            ids[number, : len(row)] = row
            mask[number, : len(row)] = 1
        return ids, mask
