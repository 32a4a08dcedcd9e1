"""Kinds that add up or count what is in a window."""

from collections.abc import Iterator, Mapping

from limner.language.expressions import Condition
from limner.language.feature_base import Fault, OfNumbers, Windowed
from limner.language.features.categorized import Categorized
from limner.language.scalars import Bool, Filled, Int, Number
from limner.language.types import NUMBERS, LogicalType, OutputType


class Count(Categorized):
    """Number of rows (`*`), of rows where a column is not null, or of its distinct values. 0 when empty."""

    kind = "count"
    star = True
    count: Filled
    distinct: Bool = False
    default: Int | None = None

    def value_type(self, columns: Mapping[str, LogicalType]) -> LogicalType:
        """An int."""
        return "int"

    def faults(self) -> Iterator[Fault]:
        """Rows are all distinct."""
        yield from super().faults()
        if self.count == "*" and self.distinct:
            yield ("distinct",), 'distinct needs a column: count: "*" counts rows, which are all distinct', True


class Sum(Categorized):
    """Sum of a numeric column, correctly rounded. 0 when empty."""

    kind = "sum"
    takes = NUMBERS
    sum: Filled
    default: Number | None = None


class Mean(Categorized):
    """Correctly rounded sum divided by the number of values. Null when empty."""

    kind = "mean"
    takes = NUMBERS
    mean: Filled
    default: Number | None = None

    def value_type(self, columns: Mapping[str, LogicalType]) -> LogicalType:
        """A float."""
        return "float"


class Std(OfNumbers):
    """Sample standard deviation (n - 1). Null with fewer than two values."""

    kind = "std"
    std: Filled
    default: Number | None = None


class Distinct(Windowed):
    """Number of distinct values that are not null. 0 when empty."""

    kind = "distinct"
    distinct: Filled
    default: Int | None = None

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """An int."""
        return OutputType("int")


class Share(OfNumbers):
    """Sum of a column (or number of rows, `*`) where the condition holds, over the sum of all. Null when that is 0."""

    kind = "share"
    star = True
    share: Filled
    where: Condition
    default: Number | None = None
