"""What is to be tuned, as data that travels to whoever does it."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

CHECKPOINT_S = 120.0
"""Seconds between checkpoints within an epoch; there is one at the end of each."""
MADE = "made"
LEAST_PARTS = 2
"""A batch is cut into so many parts, or one a worker: what one worker or two workers add up is the same to the bit."""

_DECIDES = ("files", "pooling", "max_tokens", "how", "rank", "rate", "epochs", "batch", "weights", "seed", "parts")


@dataclass(frozen=True)
class Labelled:
    """Texts and the places of their classes."""

    texts: tuple[str, ...]
    label: tuple[int, ...]


@dataclass(frozen=True)
class Job:
    """One training. `weights`: what a text of each class counts. `folder` keeps checkpoints, and then the network.

    `encoder` is a transformers folder whose files are known as `files` (sha256). `progress`: a file that lines are
    added to. Without `late` all epochs are learned from; with it, the epoch counts after which it was most likely.
    """

    name: str
    encoder: Path
    files: str
    pooling: str
    max_tokens: int
    how: str
    rank: int
    rate: float
    epochs: int
    batch: int
    weights: tuple[float, ...]
    seed: int
    early: Labelled
    late: Labelled | None
    folder: Path
    workers: int = 1
    progress: Path | None = None
    checkpoint_s: float = CHECKPOINT_S

    @property
    def parts(self) -> int:
        """Into how many parts a batch is cut."""
        return max(LEAST_PARTS, self.workers)

    @property
    def done(self) -> bool:
        """Whether its network is there."""
        return (self.folder / MADE).is_dir()

    @property
    def key(self) -> str:
        """sha256 (hex) of all that decides what is learned: whoever goes on with a checkpoint does the same work."""
        said: dict[str, Any] = {name: getattr(self, name) for name in _DECIDES}
        for name, part in (("early", self.early), ("late", self.late)):
            said[name] = None if part is None else [part.texts, part.label]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def below(self, folder: Path) -> "Job":
        """The same job, kept in a folder of its own below `folder`."""
        return replace(self, folder=folder / self.key[:16])
