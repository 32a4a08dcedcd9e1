"""The newest row of each entity: what the online store must hold."""

from collections.abc import Iterator

import pyarrow as pa

from limner.workers.history.manifest import History
from limner.workers.history.relation import visible_sql
from limner.workers.sql import quoted

EVENT_TIMESTAMP = "event_timestamp"


def latest_rows(
    history: History, join_keys: tuple[str, ...], after: int, rows_per_batch: int = 4096
) -> Iterator[pa.RecordBatch]:
    """For each entity with a row after `after` (µs), its newest row; at the beginning of the history, for every entity.

    Columns: join keys, features, event timestamp; sorted by join keys.
    """
    import duckdb

    parts = [part for part in history.parts() if part.after is None or part.until > after]
    coverage = history.coverage()
    if coverage is not None and after > coverage[0]:
        parts = [part for part in parts if part.after is not None]
    if not parts:
        return
    keys = ", ".join(quoted(key) for key in join_keys)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = visible_sql(parts, floor=after)
        # Keys and instants first, wide rows (vectors) only for the winners.
        time = quoted(EVENT_TIMESTAMP)
        newest = f"SELECT {keys}, max({time}) AS {time} FROM ({rows}) GROUP BY ALL"
        using = f"{keys}, {time}"
        result = connection.sql(f"SELECT r.* FROM ({rows}) r JOIN ({newest}) n USING ({using}) ORDER BY {keys}")
        yield from result.to_arrow_reader(rows_per_batch)
