"""A small world of shoppers in hidden groups: how often they buy, for how much, and what they write."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limner.workers.context import RunContext
from limner.workers.settings import EngineSettings
from limner.workers.text.encode import encode_with
from tests.workers.models.world import DAY, FIRST
from tests.workers.models.world import context as plain

SPECS = """
entity: user
join_keys: {user_id: int}
---
source: orders
path: orders/*.parquet
entity: user
event_timestamp: at
created_timestamp: written
---
encoder: words
tfidf: {source: orders, text: "{note}", fit: 2026-02-10, features: 32}
---
feature_view: habits
entity: user
source: orders
every: 1d
features:
  orders: {count: "*", over: 30d}
  amount: {mean: amount, over: 30d}
  gifts: {mean: gift, over: 30d}
  taste: {embed: "{note}", encoder: words, over: 60d}
  both:
    vector:
      - {scalars: [orders, amount], scale: log1p}
      - {embedding: taste}
---
model: groups
entity: user
segments:
  features: [habits: [orders, amount]]
  scale: log_zscore
cut_off: 2026-05-01
refit: 30d
---
feature_view: told
entity: user
views: [habits]
every: 1d
features:
  group: {segment: groups}
  called: {segment: groups, gives: name}
  how_far: {segment: groups, gives: distance}
  far: {expression: how_far > 1}
"""
KINDS = (("often", 1.0, 10.0, "nappies milk"), ("dear", 0.25, 100.0, "shoes dress"), ("seldom", 0.25, 10.0, "beer"),
         ("best", 1.0, 100.0, "books coffee"))  # fmt: skip
"""Name, orders a day, their mean amount, and what is written of them."""


@dataclass(frozen=True)
class Bought:
    """A row of the source; instants in µs."""

    user: int
    at: int
    written: int
    amount: float | None
    gift: float
    note: str


def kind_of(user: int) -> int:
    """The hidden group."""
    return user % len(KINDS)


def bought(
    seed: int = 0, users: Sequence[int] = range(1, 101), days: tuple[int, int] = (0, 150), spread: float = 0.2
) -> list[Bought]:
    """Orders of users of all groups; `spread`: how far those of a group are apart. Rows come up to 3 days late."""
    random = np.random.default_rng(seed)
    found = []
    for user in users:
        _, rate, amount, note = KINDS[kind_of(user)]
        rate, amount = (each * float(np.exp(spread * random.normal())) for each in (rate, amount))
        day = days[0] + float(random.exponential(1 / rate))
        while day < days[1]:
            at = FIRST + int(day * DAY)
            late = int(random.integers(0, 3 * DAY)) if random.random() < 0.3 else 0
            paid = None if random.random() < 0.05 else round(amount * float(np.exp(0.3 * random.normal())), 2)
            found.append(Bought(user, at, at + late, paid, float(random.random() < 0.3), note))
            day += float(random.gamma(4, 1 / rate / 4))
    return sorted(found, key=lambda each: (each.at, each.user))


def write(root: Path, rows: Sequence[Bought]) -> None:
    """Write the source."""
    (root / "orders").mkdir(parents=True, exist_ok=True)
    time = pa.timestamp("us", tz="UTC")
    table = pa.table(
        {
            "user_id": pa.array([row.user for row in rows], pa.int64()),
            "at": pa.array([row.at for row in rows], pa.int64()).cast(time),
            "written": pa.array([row.written for row in rows], pa.int64()).cast(time),
            "amount": pa.array([row.amount for row in rows], pa.float64()),
            "gift": pa.array([row.gift for row in rows], pa.float64()),
            "note": pa.array([row.note for row in rows], pa.string()),
        }
    )
    pq.write_table(table, root / "orders" / "a.parquet")


def context(shards: int = 2) -> RunContext:
    """A run in this process that counts terms."""
    return replace(plain(shards), encode_with=partial(encode_with, EngineSettings().triton))
