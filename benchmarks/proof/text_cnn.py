"""A small convolutional network over the characters of texts (Kim 2014), deterministic on one machine."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from limner.workers.evaluation.classes import Places
from limner.workers.evaluation.distinct import canonical
from limner.workers.evaluation.weighted import Array

LENGTH = 160  # characters looked at
_BATCH = 64  # texts
_WIDEST = 4  # characters of a window
_RARE = 2  # characters seen fewer times are one and the same
_PADDING, _UNKNOWN = 0, 1


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order whatever the machine; of batches this small, threads make nothing faster either."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class TextCnn:
    """Embedded characters, windows of 2 to 4 of them, the maximum of each filter, dropout, a line."""

    _network: Any
    _places: dict[str, int]
    _length: int

    @staticmethod
    @_one_thread()
    def fit(
        texts: Sequence[str],
        truth: Places,
        classes: int,
        seed: int = 0,
        epochs: int = 8,
        size: int = 128,
        filters: int = 128,
        length: int = LENGTH,
    ) -> "TextCnn":
        """Learn in `epochs` passes; the last one's network is kept: nothing is chosen by what is measured."""
        import torch

        counts = Counter(letter for text in texts for letter in canonical(text))
        known = sorted(letter for letter, count in counts.items() if count >= _RARE)
        places = {letter: place + 2 for place, letter in enumerate(known)}
        torch.manual_seed(seed)
        network = _network(len(places) + 2, size, filters, classes)
        model = TextCnn(network, places, length)
        rows, lengths = model._rows(texts)
        labels = torch.from_numpy(truth.astype(np.int64))
        optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=1e-2)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=epochs * -(-len(texts) // _BATCH))
        order = torch.Generator().manual_seed(seed)
        network.train()
        for _ in range(epochs):
            for batch in _batches(lengths, order):
                optimizer.zero_grad()
                found = network(_trimmed(rows, lengths, batch))
                loss = torch.nn.functional.cross_entropy(found, labels[batch], label_smoothing=0.05)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
        return model

    @_one_thread()
    def probabilities(self, texts: Sequence[str]) -> Array:
        """(texts, classes)."""
        import torch

        self._network.eval()
        rows, lengths = self._rows(texts)
        found = torch.zeros((len(texts), self._network.line.out_features), dtype=torch.float64)
        with torch.inference_mode():
            for batch in torch.split(torch.argsort(lengths, stable=True), 8 * _BATCH):
                found[batch] = self._network(_trimmed(rows, lengths, batch)).double().softmax(dim=1)
        return np.asarray(found.numpy())

    def _rows(self, texts: Sequence[str]) -> tuple[Any, Any]:
        """Places of letters, padded to one length and by the widest window; and how many letters each text has."""
        import torch

        rows = torch.full((len(texts), self._length + _WIDEST), _PADDING, dtype=torch.int64)
        lengths = torch.zeros(len(texts), dtype=torch.int64)
        for place, text in enumerate(texts):
            found = list(self._codes(canonical(text)[: self._length]))
            rows[place, : len(found)] = torch.tensor(found, dtype=torch.int64)
            lengths[place] = len(found)
        return rows, lengths

    def _codes(self, letters: str) -> Iterator[int]:
        return (self._places.get(letter, _UNKNOWN) for letter in letters)


def _batches(lengths: Any, order: Any) -> list[Any]:
    """Batches in random order of texts that are about as long: a pool of twenty is sorted, so little is padded."""
    import torch

    found: list[Any] = []
    for pool in torch.split(torch.randperm(len(lengths), generator=order), 20 * _BATCH):
        found += torch.split(pool[torch.argsort(lengths[pool], stable=True)], _BATCH)
    return [found[place] for place in torch.randperm(len(found), generator=order).tolist()]


def _trimmed(rows: Any, lengths: Any, batch: Any) -> Any:
    """Rows as long as the longest of a batch and one window of padding, so that company does not change a value."""
    return rows[batch, : int(lengths[batch].max()) + _WIDEST]


def _network(letters: int, size: int, filters: int, classes: int) -> Any:
    import torch
    from torch import nn

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.letters = nn.Embedding(letters, size, padding_idx=_PADDING)
            self.windows = nn.ModuleList(
                nn.Conv1d(size, filters, width, padding=width - 1) for width in range(2, _WIDEST + 1)
            )
            self.noise, self.drop = nn.Dropout(0.2), nn.Dropout(0.5)
            self.line = nn.Linear(3 * filters, classes)

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            embedded = self.noise(self.letters(rows)).transpose(1, 2)
            pooled = [window(embedded).relu().amax(dim=2) for window in self.windows]
            found: torch.Tensor = self.line(self.drop(torch.cat(pooled, dim=1)))
            return found

    return Network()
