"""The Arrow type of each logical type: in histories, in online values, and on the way between them."""

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:  # pydantic is half of the time that importing `limner.Store` would take
    from limner.language.models import LogicalType

ARROW: "dict[LogicalType, pa.DataType]" = {
    "int": pa.int64(),
    "float": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}


def arrow_type(base: "LogicalType", *, many: bool = False, dim: int | None = None, keyed: bool = False) -> pa.DataType:
    """A column's type: a scalar, a list (`many`), a float32 vector of `dim`, a map from text to scalars (`keyed`)."""
    if dim is not None:
        return pa.list_(pa.float32())
    if keyed:
        return pa.map_(pa.string(), ARROW[base])
    return pa.list_(ARROW[base]) if many else ARROW[base]
