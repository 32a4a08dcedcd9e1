"""Keys of rows as texts, and an order of texts that no other text has a part in: that of their SHA-256."""

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
_BETWEEN = "\x1f"


def texts_of(rows: pa.Table, keys: Sequence[str]) -> pa.ChunkedArray:
    """The keys of each row, whole numbers and texts, as one text."""
    parts = (rows[key].cast(pa.string()) for key in keys)
    return pc.binary_join_element_wise(*parts, _BETWEEN, null_handling="replace", null_replacement="None")


def by_digest(texts: pa.Array | pa.ChunkedArray, most: int | None = None) -> Ints:
    """The places of texts by the SHA-256 of their UTF-8 bytes, of equal texts the first one first; `most` of them."""
    table = pa.table({"text": texts, "place": pa.array(np.arange(len(texts)))})
    with duckdb.connect(config={"threads": 1}) as database:
        database.register("texts", table)
        least = "" if most is None else f" LIMIT {most}"
        found = database.sql(f"SELECT place FROM texts ORDER BY sha256(text), place{least}").fetchnumpy()
    return np.asarray(found["place"], np.int64)
