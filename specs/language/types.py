"""Types of columns and of values."""

from dataclasses import dataclass
from typing import Literal

LogicalType = Literal["int", "float", "string", "bool", "timestamp"]
KeyType = Literal["int", "string"]
NUMBERS: tuple[LogicalType, ...] = ("int", "float")


@dataclass(frozen=True)
class OutputType:
    """A value's type: a scalar, a list of scalars, a vector of `dim` float32, or a map from text to scalars."""

    base: LogicalType
    list: bool = False
    dim: int | None = None
    map: bool = False
