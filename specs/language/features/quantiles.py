"""Kinds that look at values in order."""

from fractions import Fraction
from typing import Annotated

from pydantic import AfterValidator, Field

from limner.language.feature_base import OfNumbers
from limner.language.scalars import Filled, Number


class Median(OfNumbers):
    """The middle value; of two in the middle their mean, rounded once. Null when empty."""

    kind = "median"
    median: Filled
    default: Number | None = None

    @property
    def at(self) -> Fraction:
        """The part of the values that is below it."""
        return Fraction(1, 2)


class Quantile(OfNumbers):
    """The value below which a part `q` of the values lies, interpolated between neighbours. Null when empty.

    Of n values in order it is the one at place (n - 1) q, counted from 0; between two places linearly. It is exact,
    rounded once, for `q` as the decimal number that is written.
    """

    kind = "quantile"
    quantile: Filled
    q: Annotated[Number, Field(ge=0, le=1), AfterValidator(float)]
    default: Number | None = None

    @property
    def at(self) -> Fraction:
        """The part of the values that is below it: the shortest decimal that is this float, as it was written."""
        return Fraction(repr(self.q))
