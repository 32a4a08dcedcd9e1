"""Kinds that are computed from other features of the view."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from limner.language.condition_types import typed
from limner.language.derived_base import Derived, OperandTypes, Scaled
from limner.language.expressions import Expression
from limner.language.feature_base import Fault, Operand, repeated
from limner.language.scalars import Bool, Filled, Instant, Int, Number, Scalar, Text
from limner.language.types import NUMBERS, OutputType


class Calculated(Derived):
    """Whatever an expression over other features gives. Null where it has no value, or a float is not finite."""

    kind = "expression"
    expression: Expression

    def operands(self) -> tuple[Operand, ...]:
        """The features it names."""
        return tuple(Operand(("expression",), name) for name in self.expression.columns)

    def faults(self) -> Iterator[Fault]:
        """It must name a feature."""
        if not self.expression.columns:
            yield ("expression",), f"{self.expression.text!r} names no feature: it is the same for everybody", False

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """The expression's."""
        return OutputType(typed(self.expression.tree, {name: kind.base for name, (kind,) in operands.items()})[1])


class Ratio(Derived):
    """The first feature divided by the second. Null where either is null or the second is 0."""

    kind = "ratio"
    ratio: Annotated[tuple[Filled, ...], Field(min_length=2, max_length=2)]

    def operands(self) -> tuple[Operand, ...]:
        """Numerator and denominator."""
        return tuple(Operand(("ratio", i), name, NUMBERS) for i, name in enumerate(self.ratio))

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """A float."""
        return OutputType("float")


class Bucket(Derived):
    """How many of the bounds a number has reached, 0 below the first; or the label of that. Null is null."""

    kind = "bucket"
    takes = NUMBERS
    bucket: Filled
    bounds: Annotated[tuple[Number, ...], Field(min_length=1, max_length=1000)]
    labels: Annotated[tuple[Text, ...], Field(min_length=2)] | None = None

    def faults(self) -> Iterator[Fault]:
        """Bounds rise, and there is one label more than bounds."""
        for i, (low, high) in enumerate(zip(self.bounds, self.bounds[1:], strict=False)):
            if not low < high:
                yield ("bounds", i + 1), f"bounds must rise: {high} follows {low}", False
        if self.labels is not None and len(self.labels) != len(self.bounds) + 1:
            text = (f"{len(self.bounds)} bounds make {len(self.bounds) + 1} buckets (one below the first, one from the "
                    f"last on), found {len(self.labels)} labels")  # fmt: skip
            yield ("labels",), text, False

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """An int, or a string with labels."""
        return OutputType("int" if self.labels is None else "string")


class OneHot(Derived):
    """A vector with 1 at the place of the value among `categories`, 0 elsewhere. Null is a vector of zeros."""

    kind = "one_hot"
    one_hot: Filled
    categories: Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=10_000)]
    other: Bool = False

    def faults(self) -> Iterator[Fault]:
        """Each category once."""
        yield from repeated(("categories",), self.categories, "category")

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """A vector with a place for each category, and one for all others if it is asked for."""
        ((kind,),) = operands.values()
        same_type(self.categories, kind)
        return OutputType("float", list=True, dim=len(self.categories) + self.other)


class ZScore(Scaled):
    """How many standard deviations (n) a number lies above the mean of all entities, both as of `fit`.

    Null before `fit`, and where the deviation is 0 or nobody had a value.
    """

    kind = "zscore"
    zscore: Filled
    fit: Instant

    @property
    def fitted(self) -> int | None:
        """Its `fit`."""
        return self.fit


class MinMax(Scaled):
    """Where a number lies between the least (0) and the greatest (1) of all entities as of `fit`, later ones beyond.

    Null before `fit`, and where least and greatest are equal or nobody had a value.
    """

    kind = "minmax"
    minmax: Filled
    fit: Instant

    @property
    def fitted(self) -> int | None:
        """Its `fit`."""
        return self.fit


class Log1p(Scaled):
    """The natural logarithm of 1 + a number. Null from -1 down."""

    kind = "log1p"
    log1p: Filled


class Hash(Derived):
    """A number below `buckets`, always the same for one value: the first 8 bytes of its text's SHA-256, modulo."""

    kind = "hash"
    hash: Filled
    buckets: Annotated[Int, Field(ge=2, le=2**31)]

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """An int."""
        return OutputType("int")


def same_type(categories: tuple[Scalar, ...], kind: OutputType) -> None:
    """ValueError where a category is not of the type of the values it is compared with."""
    takes: dict[str, tuple[type, ...]] = {"int": (int,), "string": (str,), "bool": (bool,), "float": (int, float)}
    for item in categories:
        if type(item) not in takes.get(kind.base, ()):
            raise ValueError(f"found the category {item!r}, but the feature is {kind.base}")
