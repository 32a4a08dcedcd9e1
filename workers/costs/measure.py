"""What one view of a run cost, for the ledger: the estimates of later plans are made from it."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from limner.language.outputs import Output
from limner.workers.report import Event, Reporter, RowsPrepared, TextsEncoded

KEY = "cost"  # in a view's part of a run's summary


@dataclass
class Encoding:
    """Texts encoded with one encoder, and the seconds from the first to the last of them. `device`: gpu, cpu or ""."""

    fingerprint: str = ""
    texts: int = 0
    characters: int = 0
    seconds: float = 0.0
    device: str = ""


@dataclass
class Cost:
    """Seconds without those of encoding. `width` is that of the view's row, see `width_of`; None was not measured."""

    rows: int = 0
    seconds: float = 0.0
    width: int = 0
    entity: str = ""
    sources: list[str] = field(default_factory=list)
    history_rows: int = 0
    history_bytes: int = 0
    online_rows: int | None = None
    online_bytes: int | None = None
    encoded: dict[str, Encoding] = field(default_factory=dict)  # by encoder name

    def to_json(self) -> dict[str, Any]:
        """Plain data for the ledger."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Cost":
        """What `to_json` gave."""
        encoded = {name: Encoding(**each) for name, each in data.get("encoded", {}).items()}
        return cls(**{**data, "encoded": encoded})


def width_of(outputs: tuple[Output, ...]) -> int:
    """A row's size in memory, roughly, in bytes: a measure to compare definitions by."""
    return sum(
        4 * each.type.dim if each.type.dim is not None else 8 if each.type.base in ("int", "float", "timestamp") else 16
        for each in outputs
    )


class Measuring:
    """A reporter that passes events on, and notes what the view under way costs."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._begun = time.monotonic()
        self._first: dict[str, float] = {}
        self.cost = Cost()

    def __call__(self, event: Event) -> None:
        """Note the event, and pass it on."""
        match event:
            case RowsPrepared():
                self.cost.rows += event.rows_read
            case TextsEncoded() if event.total:
                now = time.monotonic()
                began = self._first.setdefault(event.encoder, now)
                encoding = self.cost.encoded.setdefault(event.encoder, Encoding())
                encoding.texts, encoding.characters = event.done, event.characters
                encoding.seconds = now - began
            case _:
                pass
        self._reporter(event)

    def done(self) -> Cost:
        """The cost up to now."""
        encoding = sum(each.seconds for each in self.cost.encoded.values())
        self.cost.seconds = round(max(0.0, time.monotonic() - self._begun - encoding), 3)
        return self.cost
