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

    @property
    def words(self) -> str:
        """How an error names it."""
        if self.dim is not None:
            return "a vector"
        if self.map:
            return f"a map to {self.base}"
        return f"a list of {self.base}" if self.list else f"{'an' if self.base == 'int' else 'a'} {self.base}"
