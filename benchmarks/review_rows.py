"""Simulated reviews as rows of a source: who wrote which text when, three in ten of them a repeat."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from limner.benchmarks.texts import reviews

DUPLICATES = 0.3  # share of rows whose text an earlier row has
PER_USER = 3  # reviews, on average
MICROSECONDS_A_DAY = 86_400_000_000


@dataclass(frozen=True)
class ReviewRows:
    """`texts` are distinct. Row i has text `texts[which[i]]`, written by user `users[i]` at `at[i]` (µs since 1970)."""

    texts: list[str]
    which: list[int]
    users: list[int]
    at: list[int]

    def __len__(self) -> int:
        return len(self.which)

    def first(self, rows: int) -> "ReviewRows":
        """The first rows alone; of the texts, those that they have."""
        known = sorted(set(self.which[:rows]))
        place = {text: number for number, text in enumerate(known)}
        which = [place[text] for text in self.which[:rows]]
        return ReviewRows([self.texts[text] for text in known], which, self.users[:rows], self.at[:rows])

    def write(self, folder: Path, files: int) -> None:
        """Write the columns user_id, text and written_at to as many Parquet files, in place of what is there."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder.mkdir(parents=True, exist_ok=True)
        table = pa.table(
            {
                "user_id": self.users,
                "text": [self.texts[number] for number in self.which],
                "written_at": pa.array(self.at, pa.int64()).cast(pa.timestamp("us", "UTC")),
            }
        )
        size = -(-len(self) // files)
        for number in range(files):
            pq.write_table(table.slice(number * size, size), folder / f"{number}.parquet")


def review_rows(texts: int, seed: int, start: datetime, days: int) -> ReviewRows:
    """Rows with `texts` distinct texts, spread evenly over `days` from `start`, in order of time."""
    random = Random(seed)
    made = reviews(texts, seed)
    count = round(texts / (1 - DUPLICATES))
    # Any of the texts again, at any place: a run cannot know beforehand which are repeats.
    which = [*range(texts), *(random.randrange(texts) for _ in range(count - texts))]
    random.shuffle(which)
    begin, length = round(start.timestamp() * 1e6), days * MICROSECONDS_A_DAY
    return ReviewRows(
        texts=made,
        which=which,
        users=[random.randrange(max(1, count // PER_USER)) for _ in range(count)],
        at=[begin + length * number // count for number in range(count)],
    )
