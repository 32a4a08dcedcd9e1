"""The world of the worker's tests, whose rows of before lie in Parquet and CSV files of their own types."""

import csv
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.workers.stream.world import SPECS, World

MIXED = SPECS.replace("path: data/clicks\nformat: jsonl", "path: [data/old/*.parquet, data/clicks/*.jsonl]").replace(
    "path: data/visits/*.jsonl\nformat: jsonl", "path: [data/old/visits.csv, data/visits/*.jsonl]"
)
CLICKS = pa.schema(
    [
        ("event_id", pa.string()),
        ("n", pa.int32()),
        ("user_id", pa.int64()),
        ("at", pa.timestamp("us", "UTC")),
        ("amount", pa.int16()),
        ("kind", pa.dictionary(pa.int8(), pa.string())),
        ("item", pa.string()),
        ("price", pa.float64()),
    ]
)


class MixedWorld(World):
    """As if clicks had been collected in Parquet and visits in CSV: without the instants at which they came."""

    def __init__(self, root: Path, before: Sequence[tuple[str, Mapping[str, Any]]] = ()) -> None:
        super().__init__(root, before, MIXED)
        self.old = super().log()
        for name, rows in self.old.items():
            for row in rows:
                row["received"] = None
            (self.data / name / "before.jsonl").unlink()
        (self.data / "old").mkdir()
        typed = [{**row, "at": datetime.fromisoformat(row["at"])} for row in self.old["clicks"]]
        pq.write_table(pa.Table.from_pylist(typed, CLICKS), self.data / "old" / "clicks.parquet")
        with (self.data / "old" / "visits.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, ["visit", "user_id", "at"], extrasaction="ignore")
            writer.writeheader()
            writer.writerows(self.old["visits"])

    def log(self) -> dict[str, list[dict[str, Any]]]:
        """Also what came before."""
        return {name: [*self.old[name], *rows] for name, rows in super().log().items()}
