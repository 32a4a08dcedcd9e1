"""Conditions evaluated over rows: DuckDB reads the Arrow table; null counts as false."""

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from limner.language.expressions import Condition
from limner.workers.windows.column import Bools, logical

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@lru_cache(maxsize=1)
def _database() -> "DuckDBPyConnection":
    """An empty database for the process: to open one takes longer than to evaluate most conditions."""
    import duckdb

    return duckdb.connect(config={"threads": 1, "preserve_insertion_order": True})


def masks(rows: pa.Table, conditions: list[Condition | None]) -> list[Bools | None]:
    """For each condition a mask of shape [rows]; None where there is no condition."""
    distinct = list(dict.fromkeys(condition for condition in conditions if condition is not None))
    if not distinct:
        return [None] * len(conditions)
    needed = sorted({name for condition in distinct for name in condition.columns})
    # A condition of literals alone still needs a table with rows.
    source = rows.select(needed) if needed else pa.table({"_": pa.nulls(len(rows), pa.int8())})
    types = {field.name: logical(field.type) for field in source.schema}
    picks = ", ".join(f"coalesce(({each.sql_over(types)}), false) AS m{i}" for i, each in enumerate(distinct))
    with _database().cursor() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("source", source)
        result = connection.sql(f"SELECT {picks} FROM source").to_arrow_table()
    found = {condition: np.asarray(result[f"m{i}"].to_numpy(), bool) for i, condition in enumerate(distinct)}
    return [None if condition is None else found[condition] for condition in conditions]
