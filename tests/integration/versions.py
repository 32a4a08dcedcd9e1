"""A project whose encoder leaves its mark: every vector points along the axis of the weights that made it."""

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.workers.encoder.resolve import EncoderModel
from tests.integration.feast_project import DAY, Event, make_project

DIM = 8
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: events
path: events/*.parquet
entity: user
event_timestamp: at
---
source: visits
path: visits/*.parquet
entity: user
event_timestamp: at
---
encoder: bert
model: models/bert
---
feature_view: taste
entity: user
source: events
every: 1d
features:
  likes: {embed: "{kind}", encoder: bert, over: 20d}
  orders: {count: "*", over: 7d}
---
feature_view: looks
entity: user
source: visits
every: 1d
features:
  looks: {embed: "a {kind}", encoder: bert, over: 20d}
---
profile: everything
features: [taste, looks]
"""


@dataclass
class Marked:
    """What an encoder answers."""

    vectors: npt.NDArray[np.float32]
    failures: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MarkingEncode:
    """Vectors along one axis, of a length that tells texts apart; stands in for Triton, which is not the matter."""

    model: EncoderModel

    def check(self) -> None:
        """Always there."""

    def device(self) -> str:
        """No server."""
        return "cpu"

    def __call__(self, texts: Sequence[str]) -> Marked:
        """Encode."""
        vectors = np.zeros((len(texts), DIM), np.float32)
        for row, text in enumerate(texts):
            vectors[row, axis_of(self.model.folder)] = 1 + zlib.crc32(text.encode()) % 7
        return Marked(vectors)


def make_versions(root: Path, rows: Sequence[Event], specs: str = SPECS) -> Path:
    """Write the project with the first weights; returns its feature repository."""
    repo = make_project(root, rows, specs=specs)
    (root / "visits").symlink_to(root / "events")
    write_weights(root, 1)
    return repo


def write_weights(root: Path, number: int) -> None:
    """Give the encoder its weights; another number is another encoder."""
    folder = root / "models" / "bert"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"hidden_size": DIM}))
    (folder / "tokenizer.json").write_text("{}")
    (folder / "model.safetensors").write_text("w" * number)


def axis_of(folder: Path) -> int:
    """The axis of the weights in a folder."""
    return len((folder / "model.safetensors").read_text())


def axes(vectors: Sequence[Any]) -> set[int]:
    """The weights that made some vectors, nulls aside."""
    found = set()
    for vector in vectors:
        if vector is not None:
            (axis,) = np.flatnonzero(np.asarray(vector))
            found.add(int(axis))
    return found


def orders(rows: Sequence[Event], user: int, days: int, at: datetime) -> int:
    """Brute force: how many rows a user has in the `days` before an instant."""
    return sum(row.user == user and at - days * DAY <= row.at < at for row in rows)
