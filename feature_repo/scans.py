"""What DuckDB has to read of a history: which files, and under which condition their rows are visible."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet as pq

from limner.workers.history.manifest import Part
from limner.workers.online.pack import EPOCH
from limner.workers.sql import literal, quoted

PLACE = "__place"


@dataclass(frozen=True)
class Scan:
    """Some files, and a condition on their rows as SQL. `first`: how many files the scans before this one have."""

    files: tuple[Path, ...]
    condition: str
    first: int

    @property
    def place(self) -> str:
        """SQL of what tells a row from all others of all scans, an int64 that stays as long as the files do."""
        return f"(({self.first} + file_index::BIGINT) << 40) + file_row_number AS {PLACE}"

    @property
    def has_places(self) -> bool:
        """Whether `place` can be used: a feature may have the name of one of DuckDB's two columns, and hides it."""
        return not {"file_index", "file_row_number"} & {name.lower() for name in pq.read_schema(self.files[0]).names}

    def select(self, *columns: str) -> str:
        """SQL of `columns` (SQL, too) of the visible rows."""
        listed = ", ".join(literal(glob.escape(str(path))) for path in self.files)
        return f"SELECT {', '.join(columns)} FROM read_parquet([{listed}]) WHERE {self.condition}"


def visible_scans(parts: Sequence[Part], timestamp: str, oldest: int | None, newest: int | None) -> list[Scan]:
    """Scans of the rows of `parts` that are visible and have oldest < event timestamp <= newest (µs).

    Most parts are visible as a whole: they are one scan without a condition.
    """
    files: dict[str, list[Path]] = {}  # by condition
    for part in parts:
        low = max((bound for bound in (part.after, oldest) if bound is not None), default=None)
        high: int | None = part.until if newest is None else min(part.until, newest)
        least, most = _extent(part.path)
        if most is not None and least is not None and high is not None:
            if least > high or (low is not None and most <= low):
                continue  # nothing of it is visible
            if most <= high:
                high = None
            if low is not None and least > low:
                low = None
        files.setdefault(between(quoted(timestamp), low, high), []).append(part.path)
    scans: list[Scan] = []
    for condition, paths in files.items():
        scans.append(Scan(tuple(paths), condition, sum(len(scan.files) for scan in scans)))
    return scans


def between(column: str, low: int | None, high: int | None) -> str:
    """low < column <= high (µs) as SQL on the column itself, which lets DuckDB skip row groups."""
    bounds = [
        f"{column} {sign} make_timestamptz({at}::BIGINT)" for sign, at in ((">", low), ("<=", high)) if at is not None
    ]
    return " AND ".join(bounds) or "true"


@lru_cache(maxsize=100_000)
def _extent(path: Path) -> tuple[int | None, int | None]:
    """First and last event timestamp (µs) in a part, by its footer; files of a history never change."""
    metadata = pq.read_metadata(path)
    leaves = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    found = [group.column(leaves.index("event_timestamp")).statistics for group in groups]
    if not found or any(each is None or not each.has_min_max for each in found):
        return None, None
    micro = timedelta(microseconds=1)
    return (min(each.min for each in found) - EPOCH) // micro, (max(each.max for each in found) - EPOCH) // micro
