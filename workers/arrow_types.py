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
