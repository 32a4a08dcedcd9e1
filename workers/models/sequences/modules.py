"""Networks as torch learns them. Each gives its arrays as `network` takes them, once they are learned."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.workers.models.sequences.fixed import clipped
from limner.workers.models.sequences.transformer import WIDER
from limner.workers.models.sequences.vocabulary import GAPS
from limner.workers.windows.column import Ints

DROPPED = 0.1

Arrays = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Reads:
    """What is read of each row: [rows, columns] places, how many places a column has, and `length` rows at once."""

    rows: Ints
    sizes: tuple[int, ...]
    length: int
    dim: int
    architecture: str


def network(reads: Reads) -> Any:
    """A module: `forward` [stretches, rows, what is read] to [stretches, rows, dim]; `drop`, `out`, `arrays`."""
    return _gru(reads) if reads.architecture == "gru" else _transformer(reads)


def _kept(found: dict[str, Any]) -> Arrays:
    # A file holds arrays row by row, whatever order they have in memory.
    return {
        name: np.ascontiguousarray(clipped(each.detach().numpy()), dtype=np.float32) for name, each in found.items()
    }


def _gru(reads: Reads) -> Any:
    import torch

    class Gru(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read: Any = torch.nn.ModuleList(torch.nn.Embedding(size, reads.dim) for size in (*reads.sizes, GAPS))
            self.gru: Any = torch.nn.GRU(reads.dim, reads.dim, batch_first=True)
            self.drop: Any = torch.nn.Dropout(DROPPED)
            self.out: Any = torch.nn.Linear(reads.dim, reads.sizes[0] - 1)

        def forward(self, read: Any) -> Any:
            vectors = sum(each(read[:, :, place]) for place, each in enumerate(self.read))
            return self.gru(self.drop(vectors))[0]

        def arrays(self) -> Arrays:
            dim, gru = reads.dim, self.gru
            into, bias = gru.weight_ih_l0.double(), gru.bias_ih_l0.double()
            more = gru.bias_hh_l0.double()
            bias = bias + torch.cat([more[: 2 * dim], torch.zeros(dim, dtype=torch.float64)])
            found: dict[str, Any] = {
                f"read_{place}": each.weight.double() @ into.T for place, each in enumerate(self.read)
            }
            found["read_0"] = found["read_0"] + bias
            found |= {"state": gru.weight_hh_l0.T, "new": more[2 * dim :]}
            return _kept(found | {"out": self.out.weight.T, "out_bias": self.out.bias})

    return Gru()


def _transformer(reads: Reads) -> Any:
    import torch

    dim = reads.dim

    class Transformer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.read: Any = torch.nn.ModuleList(torch.nn.Embedding(size, dim) for size in (*reads.sizes, GAPS))
            self.place: Any = torch.nn.Embedding(reads.length, dim)
            for each in (*self.read, self.place):
                torch.nn.init.normal_(each.weight, std=0.1)
            self.norms: Any = torch.nn.ModuleList(torch.nn.LayerNorm(dim) for _ in range(3))
            self.ask: Any = torch.nn.Linear(dim, dim)
            self.key: Any = torch.nn.Linear(dim, dim)
            self.value: Any = torch.nn.Linear(dim, dim)
            self.mix: Any = torch.nn.Linear(dim, dim)
            self.wide: Any = torch.nn.Linear(dim, WIDER * dim)
            self.back: Any = torch.nn.Linear(WIDER * dim, dim)
            self.drop: Any = torch.nn.Dropout(DROPPED)
            self.out: Any = torch.nn.Linear(dim, reads.sizes[0] - 1)

        def forward(self, read: Any) -> Any:
            rows = read.shape[1]
            x = sum(each(read[:, :, place]) for place, each in enumerate(self.read)) + self.place.weight[:rows]
            x = self.drop(x)
            seen = self.norms[0](x)
            scores = self.ask(seen) @ self.key(seen).transpose(1, 2) / dim**0.5
            later = torch.ones(rows, rows, dtype=torch.bool).triu(1)
            share = torch.softmax(scores.masked_fill(later, -torch.inf), dim=2)
            y = x + self.drop(self.mix(share @ self.value(seen)))
            z = y + self.drop(self.back(torch.relu(self.wide(self.norms[1](y)))))
            return self.norms[2](z)

        def arrays(self) -> Arrays:
            found: dict[str, Any] = {f"read_{place}": each.weight for place, each in enumerate(self.read)}
            found["place"] = self.place.weight
            names = {"ask": 0, "key": 0, "value": 0, "mix": None, "wide": 1, "back": None, "out": 2}
            for name, before in names.items():
                weight, bias = getattr(self, name).weight.T.double(), getattr(self, name).bias.double()
                if before is not None:  # what the norm scales and shifts by goes into the matrix after it
                    norm = self.norms[before]
                    bias = bias + norm.bias.double() @ weight
                    weight = norm.weight.double()[:, None] * weight
                scale = dim**-0.5 if name == "ask" else 1.0
                found |= {name: weight * scale, f"{name}_bias": bias * scale}
            return _kept(found)

    return Transformer()
