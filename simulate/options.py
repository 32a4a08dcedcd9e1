"""What a simulation is asked for: the only input of every draw."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Literal, get_args

from limner.language.errors import LimnerError

DAY = 86_400_000_000  # µs

Language = Literal["en", "zh", "both"]
MOST_EVENTS = 1000  # a shopper, on average: a block of shoppers is held in memory


@dataclass(frozen=True)
class Options:
    """How much of what. `events` is exact (duplicates come on top); `days` are days of UTC from `begin`'s midnight.

    Raises LimnerError for numbers that make no shop.
    """

    shoppers: int = 1_000
    events: int = 100_000
    days: int = 365
    begin: date = date(2025, 1, 1)
    language: Language = "both"
    seed: int = 7

    def __post_init__(self) -> None:
        for name, low, high in (("shoppers", 1, 100_000_000), ("events", 1, 10_000_000_000), ("days", 1, 3660)):
            found = getattr(self, name)
            if not low <= found <= high:
                raise LimnerError(f"--{name} {found}: expected a number from {low:,} to {high:,}")
        if self.events > self.shoppers * MOST_EVENTS:
            fewest = math.ceil(self.events / MOST_EVENTS)
            raise LimnerError(
                f"{self.events:,} events of {self.shoppers:,} shoppers are more than {MOST_EVENTS:,} a shopper: "
                f"ask for fewer --events, or for at least --shoppers {fewest}"
            )
        if not 1970 <= self.begin.year <= 2100:
            raise LimnerError(f"--begin {self.begin}: expected a day from 1970-01-01 to 2100-12-31")
        if self.language not in get_args(Language):
            raise LimnerError(f"--language {self.language!r}: expected one of {', '.join(get_args(Language))}")
        if self.seed < 0:
            raise LimnerError(f"--seed {self.seed}: expected a whole number from 0")

    @property
    def start(self) -> int:
        """The first instant, µs since 1970 UTC."""
        return int(datetime(self.begin.year, self.begin.month, self.begin.day, tzinfo=UTC).timestamp()) * 1_000_000

    @property
    def end(self) -> int:
        """The instant before which everything happens, µs since 1970 UTC."""
        return self.start + self.days * DAY
