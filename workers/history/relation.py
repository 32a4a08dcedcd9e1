"""The visible rows of a history as SQL for DuckDB: paths as quoted literals, instants as integers."""

import glob
from collections.abc import Sequence

from limner.workers.history.manifest import Part
from limner.workers.sql import literal


def visible_sql(parts: Sequence[Part], columns: str = "*", floor: int | None = None) -> str:
    """`SELECT` of the rows of `parts` within their bounds; rows after `floor` (µs) only, base rows always.

    `columns` is SQL. Parts with the same bounds are one scan.
    """
    groups: dict[tuple[int | None, int], list[str]] = {}
    for part in parts:
        groups.setdefault((part.after, part.until), []).append(literal(glob.escape(str(part.path))))
    selects = []
    for (after, until), paths in groups.items():
        bound = f"event_timestamp <= make_timestamptz({until}::BIGINT)"
        if after is not None:
            low = after if floor is None else max(after, floor)
            bound += f" AND event_timestamp > make_timestamptz({low}::BIGINT)"
        selects.append(f"SELECT {columns} FROM read_parquet([{', '.join(paths)}]) WHERE {bound}")
    return " UNION ALL ".join(selects)
