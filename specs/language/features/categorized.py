"""What kinds have in common that can be computed category by category."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

from limner.language.feature_base import Fault, Read, Windowed, repeated
from limner.language.places import Path
from limner.language.scalars import Bool, Filled, Scalar
from limner.language.types import LogicalType, OutputType

_TYPES: tuple[LogicalType, ...] = ("string", "int", "bool")


class Categorized(Windowed):
    """A kind of which a category has a value: `by` makes a map from category to value, or a list in a stated order.

    A category is in the map where a row counts for it; a row without a category does not count.
    """

    by: Filled | None = None
    categories: Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=1000)] | None = None
    other: Annotated[Bool | None, AfterValidator(lambda value: value or None)] = None

    def reads(self) -> tuple[Read, ...]:
        """The column of values, and that of categories."""
        own = super().reads()
        return own if self.by is None else (*own, Read(("by",), self.by, _TYPES, "categories are text, int or bool"))

    def constants(self) -> Iterator[tuple[Path, object, str]]:
        """The categories are values of their column."""
        if self.by is not None:
            for place, category in enumerate(self.categories or ()):
                yield ("categories", place), category, self.by

    def value_type(self, columns: Mapping[str, LogicalType]) -> LogicalType:
        """The type of one value: the column's."""
        return columns[self.column or ""]

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A value, a map of them or a list of them."""
        listed = self.categories is not None
        return OutputType(self.value_type(columns), list=listed, map=self.by is not None and not listed)

    def faults(self) -> Iterator[Fault]:
        """Keys that need each other, and a default where nothing is null."""
        yield from super().faults()
        if self.by is None:
            for key in ("categories", "other"):
                if getattr(self, key) is not None:
                    yield (key,), f"{key} needs by: say which column has the categories", True
            return
        if self.other and self.categories is None:
            yield ("other",), "other needs categories: without them the map has every category", True
        if getattr(self, "default", None) is not None:
            yield ("default",), "default has no use beside by: a category without rows is not in the map, or 0", True
        yield from repeated(("categories",), self.categories or (), "category")
