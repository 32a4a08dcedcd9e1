"""Types of columns and of values."""

from dataclasses import dataclass
from typing import Literal

from limner.language.suggest import a

LogicalType = Literal["int", "float", "string", "bool", "timestamp"]
KeyType = Literal["int", "string"]
NUMBERS: tuple[LogicalType, ...] = ("int", "float")


@dataclass(frozen=True)
class OutputType:
    """A value's type: a scalar, a list of scalars, a vector of `dim` float32 (0: not known yet), or a map from text."""

    base: LogicalType
    list: bool = False
    dim: int | None = None
    map: bool = False

    @property
    def words(self) -> str:
        """How an error names it."""
        if self.dim is not None:
            return f"a vector of {self.dim} numbers" if self.dim else "a vector"
        if self.map:
            return f"a map to {self.base}"
        return f"a list of {self.base}" if self.list else a(self.base)
