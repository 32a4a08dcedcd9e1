"""A small shop's project on disk, for tests that run the real thing: events, specs with a text, configuration."""

import random
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from limner.cli.commands.init import create

START = datetime(2026, 3, 2, tzinfo=UTC)
VIEW = "taste"
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: purchases
path: events.parquet
entity: user
event_timestamp: happened_at
tie_break: [purchase_id]
clean: {quarantine: [amount < 0]}
---
encoder: tiny
model: models/tiny
max_tokens: 32
precision: float32
---
feature_view: taste
entity: user
source: purchases
every: 1d
features:
  orders: {count: "*", over: [7d, 30d]}
  spend: {sum: amount, over: 7d}
  mean_spend: {mean: amount, over: 30d}
  favourite: {top: 2, of: category, over: 30d}
  likes: {embed: "{category} {title}", encoder: tiny, pool: {mean: {half_life: 7d}}, over: 30d}
---
profile: all_of_it
features: [taste]
"""
WORDS = ["milk", "bread", "cheese", "chocolate", "coffee", "tea", "organic", "fresh", "large", "small", "dark", "sweet"]


@dataclass(frozen=True)
class Shop:
    """A project folder and what a test does with it."""

    root: Path

    @property
    def repo(self) -> Path:
        """The Feast repository."""
        return self.root / "feature_repo"

    def feast(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the stock `feast` command to its end."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=300)

    def command(self, *arguments: str) -> list[str]:
        """The stock `feast` command."""
        return [str(Path(sys.executable).with_name("feast")), "-c", str(self.repo), *arguments]

    def files(self, below: str = "history") -> dict[str, bytes]:
        """Every file of a data folder (locks aside), by its path."""
        folder = self.root / "data" / below
        paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".lock")]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def make_shop(root: Path, triton_url: str, *, users: int = 60, events: int = 3000, days: int = 40) -> Shop:
    """Write a project whose encoder "tiny" is in `root`/models and served at `triton_url`."""
    create(root, bare=True)
    (root / "specs" / "shop.yaml").write_text(SPECS)
    write_events(root / "events.parquet", users=users, events=events, days=days)
    configure(root, triton={"url": triton_url})
    return Shop(root)


def configure(root: Path, **engine: object) -> None:
    """Set keys of `batch_engine`."""
    path = root / "feature_repo" / "feature_store.yaml"
    document = yaml.safe_load(path.read_text())
    document["batch_engine"].update(engine)
    path.write_text(yaml.safe_dump(document, sort_keys=False))


def write_events(path: Path, *, users: int, events: int, days: int, seed: int = 7) -> None:
    """Write seeded purchases: users, amounts (a few negative), categories and titles of a few hundred kinds."""
    rng = random.Random(seed)
    rows = [
        {
            "purchase_id": number,
            "user_id": rng.randrange(users),
            "happened_at": START + timedelta(microseconds=rng.randrange(days * 86_400_000_000)),
            "amount": rng.choice([-1.0, *[round(rng.uniform(1, 90), 2) for _ in range(40)]]),
            "category": rng.choice(WORDS[:6]),
            "title": " ".join(rng.choices(WORDS, k=rng.randrange(1, 5))),
        }
        for number in range(events)
    ]
    table = pa.Table.from_pylist(rows)
    pq.write_table(table.set_column(2, "happened_at", table["happened_at"].cast(pa.timestamp("us", tz="UTC"))), path)
