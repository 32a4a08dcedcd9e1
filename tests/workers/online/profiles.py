"""A small view and rows of it, for the tests of the online store."""

from collections.abc import Sequence

import pyarrow as pa

from limner.workers.online.pack import Column
from limner.workers.online.schema import ViewSchema

STAMP = pa.timestamp("us", tz="UTC")


def schema(view: str = "taste", fingerprint: str = "f1", *more: Column) -> ViewSchema:
    columns = (Column("spend", "float"), Column("top", "string", many=True), Column("taste", "float", dim=2), *more)
    return ViewSchema(view, fingerprint, (("user_id", "int"),), columns)


def rows(users: Sequence[int], spends: Sequence[float | None], at: int | Sequence[int] = 0) -> pa.RecordBatch:
    """`spend` as given; `top` and `taste` follow from the user."""
    stamps = [at] * len(users) if isinstance(at, int) else at
    return pa.record_batch(
        {
            "user_id": pa.array(users, pa.int64()),
            "spend": pa.array(spends, pa.float64()),
            "top": pa.array([[f"t{user}"] for user in users], pa.list_(pa.string())),
            "taste": pa.array([[1.0, float(user)] for user in users], pa.list_(pa.float32())),
            "event_timestamp": pa.array(stamps, pa.int64()).cast(STAMP),
        }
    )
