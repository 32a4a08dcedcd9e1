"""What a server of profiles is told when it starts."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Limits:
    """Bounds of one request, and of what a worker does at once. Seconds, bytes, counts."""

    body_bytes: int = 4 << 20
    keys: int = 10_000
    neighbours: int = 100  # the largest k of /similar
    seconds: float = 10.0  # from the first byte to the answer
    reads: int = 4  # threads that read what may take longer
    waiting: int = 256  # reads that wait for such a thread; more are turned away


@dataclass(frozen=True)
class ServeSettings:
    """`root` is the project's folder. `refresh`: seconds between looks for a new registry or configuration.

    `vectors_bytes` and `vectors_seconds` bound what /similar keeps in memory, by size (a view's feature) and by age.
    """

    root: Path
    host: str = "127.0.0.1"
    port: int = 6566
    workers: int = 1
    key_file: Path | None = None
    refresh: float = 1.0
    vectors_bytes: int = 1 << 30
    vectors_seconds: float = 10.0
    limits: Limits = field(default_factory=Limits)

    def to_json(self) -> str:
        """Text that `from_json` reads back."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "ServeSettings":
        """The settings a text describes."""
        raw: dict[str, Any] = json.loads(text)
        key_file = raw.pop("key_file")
        return cls(
            root=Path(raw.pop("root")),
            key_file=None if key_file is None else Path(key_file),
            limits=Limits(**raw.pop("limits")),
            **raw,
        )
