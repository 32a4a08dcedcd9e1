"""One entity's values as of an instant, from the history itself."""

from collections.abc import Mapping
from typing import Any

from limner.workers.history.latest import EVENT_TIMESTAMP
from limner.workers.history.manifest import History
from limner.workers.history.relation import visible_sql
from limner.workers.sql import literal, quoted


def row_as_of(history: History, key: Mapping[str, int | str], at: int) -> dict[str, Any] | None:
    """The entity's newest row at or before `at` (µs UTC), with its join keys and `event_timestamp`; None without one.

    Vectors and lists are lists, maps are dicts, instants are datetimes in UTC.
    """
    import duckdb
    import pyarrow as pa

    parts = [part for part in history.parts() if part.after is None or part.after < at]
    if not parts:
        return None
    time = quoted(EVENT_TIMESTAMP)
    same = " AND ".join(
        f"{quoted(name)} = {value if isinstance(value, int) else literal(value)}" for name, value in key.items()
    )
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = (
            f"SELECT * FROM ({visible_sql(parts)}) WHERE {same} AND {time} <= make_timestamptz({at}::BIGINT) "
            f"ORDER BY {time} DESC LIMIT 1"
        )
        table = connection.sql(query).to_arrow_table()
    if not len(table):
        return None
    (row,) = table.to_pylist()
    maps = {field.name for field in table.schema if pa.types.is_map(field.type)}
    return {name: dict(value) if name in maps and value is not None else value for name, value in row.items()}
