"""The features of a request view: made of features of views, fields of the request, and each other.

`view.feature` is a feature of a view; a bare name is a field of the request or another feature of the request view.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from limner.language.expressions import Expression
from limner.language.scalars import Filled, Text


class RequestFeature(BaseModel):
    """What every kind may carry."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]

    description: Text = ""

    @property
    def reads(self) -> tuple[tuple[str, str], ...]:
        """(key, name) of all that it is made of, in the order of the spec."""
        raise NotImplementedError


class Age(RequestFeature):
    """The time from a stored instant to one of the request, negative where it lies ahead. Null where either is."""

    kind = "age"
    age: Filled
    at: Filled
    unit: Literal["s", "m", "h", "d", "w"] = "d"

    @property
    def reads(self) -> tuple[tuple[str, str], ...]:
        """Both instants."""
        return (("age", self.age), ("at", self.at))


class Cosine(RequestFeature):
    """Cosine similarity of a stored vector with a vector or a text of the request. Null where either is null or zero.

    A text is encoded by the encoder that made the stored vector, with its prefix or one of its own in front.
    """

    kind = "cosine"
    cosine: Filled
    other: Filled = Field(alias="with")
    prefix: Text | None = None

    @property
    def reads(self) -> tuple[tuple[str, str], ...]:
        """Both sides."""
        return (("cosine", self.cosine), ("with", self.other))


class Calculation(RequestFeature):
    """An expression: arithmetic, comparisons, and functions. Null where it is null."""

    kind = "expression"
    expression: Expression

    @property
    def reads(self) -> tuple[tuple[str, str], ...]:
        """Every name in it."""
        return tuple(("expression", name) for name in self.expression.columns)


def in_order(features: Mapping[str, RequestFeature]) -> list[str]:
    """The features such that each comes after those it reads, otherwise by name: the order of the spec means nothing.

    Features that read each other in a circle, and what reads them, are left out.
    """
    left = {name: {read for _, read in feature.reads} & features.keys() for name, feature in features.items()}
    order: list[str] = []
    while ready := sorted(name for name, reads in left.items() if reads <= set(order)):
        order.append(ready[0])
        del left[ready[0]]
    return order


REQUEST_KINDS: tuple[type[RequestFeature], ...] = (Age, Cosine, Calculation)


def _kind_of(value: Any) -> str | None:
    if isinstance(value, RequestFeature):
        return f"<{value.kind}>"
    return next((f"<{k.kind}>" for k in REQUEST_KINDS if isinstance(value, dict) and k.kind in value), None)


AnyRequestFeature = Annotated[
    Annotated[Age, Tag("<age>")] | Annotated[Cosine, Tag("<cosine>")] | Annotated[Calculation, Tag("<expression>")],
    Discriminator(_kind_of),
]
