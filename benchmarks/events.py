"""Seeded events of any number, written a row group at a time: 100 million need no more memory than one million."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_GROUP = 1_000_000  # rows at once
_CATEGORIES = 50


def write_events(
    path: Path, events: int, entities: int, start: datetime, days: int, *, active: float | None = None, seed: int = 7
) -> None:
    """Write events of `user_id` at `happened_at` over `days` from `start`, in order of time, evenly spread.

    Amounts are cents, quantities 1 to 9, categories fifty. `active`: the share of entities that have events on a given
    day (others have none that day), chosen anew each day; None: each event is of any entity. At least one is active.
    """
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    names = pa.array([f"category {number:02d}" for number in range(_CATEGORIES)])
    first = int(start.timestamp()) * 1_000_000
    length = days * int(timedelta(days=1).total_seconds()) * 1_000_000
    cohort = max(1, round(entities * active)) if active is not None else entities
    chosen = (
        np.array([rng.choice(entities, cohort, replace=False) for _ in range(days)]) if active is not None else None
    )
    writer = None
    for begin in range(0, events, _GROUP):
        count = min(_GROUP, events - begin)
        low, high = first + length * begin // events, first + length * (begin + count) // events
        instants = np.sort(rng.integers(low, high, count))
        users = rng.integers(0, cohort, count)
        if chosen is not None:
            users = chosen[(instants - first) // (length // days), users]
        table = _table(rng, instants, users, names)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=100_000)
    if writer is not None:
        writer.close()


def _table(rng: "np.random.Generator", instants: "np.ndarray", users: "np.ndarray", names: "pa.Array") -> "pa.Table":
    import numpy as np
    import pyarrow as pa

    count = len(instants)
    codes = rng.integers(0, len(names), count).astype(np.int32)
    return pa.table(
        {
            "user_id": users,
            "happened_at": pa.array(instants).cast(pa.timestamp("us", tz="UTC")),
            "amount": np.round(rng.gamma(2, 20, count), 2),
            "category": pa.DictionaryArray.from_arrays(codes, names).cast(pa.string()),
            "quantity": rng.integers(1, 10, count),
        }
    )
