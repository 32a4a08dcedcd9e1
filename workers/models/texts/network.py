"""Learning a convolutional network with torch, on one thread: the same texts and seed give the same bytes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from limner.language.learning.classifier import Classifier
from limner.workers.alone import alone
from limner.workers.derive.values import Array
from limner.workers.models.texts.convolution import PAD, places, tokens
from limner.workers.models.texts.learned import Convolution

WIDTHS, FILTERS, VECTOR = (2, 3, 4), 64, 64
KNOWN, LONGEST = 5000, 256  # tokens there are vectors for, the most frequent ones; tokens of a text that are read
BATCH, RATE, DROPPED = 64, 2e-3, 0.5
EPOCHS, PATIENCE, BLIND = 30, 3, 8  # BLIND: epochs where there are no later texts to tell when it is enough


def convolution(
    classes: tuple[str, ...], kind: Classifier, early: tuple[Sequence[str], Array],
    late: tuple[Sequence[str], Array] | None, seed: int,
) -> tuple[Convolution, bytes]:  # fmt: skip
    """The network of the epoch after which later texts were most likely, and its arrays."""
    import torch
    from safetensors.numpy import save

    split: Any = "char"
    counts = Counter(token for text in early[0] for token in tokens(text, split, lowercase=True))
    known = sorted((each for each in counts if counts[each] > 1), key=lambda each: (-counts[each], each))[:KNOWN]
    model = Convolution(
        classes=classes, split=split, lowercase=True, tokens=tuple(known), longest=LONGEST, widths=WIDTHS
    )
    with alone(seed):
        net = _network(len(known) + 2, len(classes))
        rows = [places(model, text) for text in early[0]]
        later = None if late is None else [places(model, text) for text in late[0]]
        loss = torch.nn.CrossEntropyLoss(weight=_weights(kind, early[1], len(classes)))
        best, least, worse = net.arrays(), np.inf, 0
        optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
        order = np.random.default_rng(seed)
        for _ in range(EPOCHS if later is not None else BLIND):
            net.train()
            chosen = order.permutation(len(rows))
            for begin in range(0, len(chosen), BATCH):
                batch = chosen[begin : begin + BATCH]
                optimizer.zero_grad()
                scores = net([rows[each] for each in batch])
                loss(scores, torch.from_numpy(early[1][batch])).backward()
                optimizer.step()
            if later is None or late is None:
                best = net.arrays()
                continue
            now = _loss(net, later, late[1])
            if now < least:
                best, least, worse = net.arrays(), now, 0
            else:
                worse += 1
                if worse >= PATIENCE:
                    break
    return model, save(best)


def _weights(kind: Classifier, label: Array, classes: int) -> Any:
    import torch

    if kind.weights == "none":
        return None
    counts = np.bincount(label, minlength=classes)
    there = (counts > 0).sum()
    return torch.tensor(np.where(counts > 0, len(label) / (there * np.maximum(counts, 1)), 0.0), dtype=torch.float32)


def _loss(net: Any, rows: list[Any], label: Array) -> float:
    import torch

    net.eval()
    total = 0.0
    with torch.no_grad():
        for begin in range(0, len(rows), 512):
            wanted = torch.from_numpy(label[begin : begin + 512])
            total += float(torch.nn.functional.cross_entropy(net(rows[begin : begin + 512]), wanted, reduction="sum"))
    return total / len(rows)


def _network(known: int, classes: int) -> Any:
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = torch.nn.Embedding(known, VECTOR)
            self.filters = torch.nn.ModuleList(torch.nn.Conv1d(VECTOR, FILTERS, width) for width in WIDTHS)
            self.drop = torch.nn.Dropout(DROPPED)
            self.out = torch.nn.Linear(FILTERS * len(WIDTHS), classes)

        def forward(self, rows: Sequence[Any]) -> Any:
            lengths = torch.tensor([len(row) for row in rows])
            filled = np.full((len(rows), int(lengths.max())), PAD, np.int64)
            for line, row in zip(filled, rows, strict=True):
                line[: len(row)] = row
            vectors = self.tokens(torch.from_numpy(filled)).transpose(1, 2)
            answers = []
            filters: Any = self.filters
            for width, each in zip(WIDTHS, filters, strict=True):
                found = torch.relu(each(vectors))
                beyond = torch.arange(found.shape[2])[None, :] > (lengths - width)[:, None]
                # What only fills up a batch has no say: a text's answers are its own. relu's least value is 0.
                answers.append(found.masked_fill(beyond[:, None, :], 0.0).amax(dim=2))
            return self.out(self.drop(torch.cat(answers, dim=1)))

        def arrays(self) -> dict[str, Any]:
            """Its arrays, as `forward` of the module for use takes them."""
            found: dict[str, Any] = {
                "tokens": self.tokens.weight,
                "weights": self.out.weight.T,
                "intercept": self.out.bias,
            }
            filters: Any = self.filters
            for width, each in zip(WIDTHS, filters, strict=True):
                found[f"filters_{width}"] = each.weight.permute(1, 2, 0).reshape(-1, FILTERS)
                found[f"bias_{width}"] = each.bias
            return {name: np.ascontiguousarray(each.detach().numpy()).copy() for name, each in found.items()}

    return Network()
