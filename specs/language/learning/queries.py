"""Questions about an entity's rows whose answer is yes or no: labels look forward from an instant, populations back."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from limner.language.durations import Duration
from limner.language.expressions import Condition
from limner.language.feature_base import Fault, FeatureBase
from limner.language.features import Count, Distinct, Max, Mean, Min, Sum
from limner.language.names import Name
from limner.language.scalars import Filled, found
from limner.language.windows import WrittenWindow, text_of

_COMPARISON = re.compile(r"\s*(==|=|!=|<>|<=|>=|<|>)\s*(-?[0-9]{1,15}(?:\.[0-9]{1,15})?)\s*")
_SPELLED = {"==": "=", "!=": "<>"}
MEASURES: dict[str, type[FeatureBase]] = {
    "count": Count, "sum": Sum, "mean": Mean, "min": Min, "max": Max, "distinct": Distinct,
}  # fmt: skip
"""What a question may measure, by key: feature kinds, over one window."""


def _comparison(value: Any) -> str:
    match = _COMPARISON.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(
            f'found {found(value)}, expected a comparison with a number, in quotes, such as "= 0" or "> 2"'
        )
    return f"{_SPELLED.get(match[1], match[1])} {match[2]}"


Comparison = Annotated[str, BeforeValidator(_comparison), Field(examples=["> 0"])]


class Query(BaseModel):
    """A number of an entity's rows in a window, and what it must be."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    count: Filled | None = None
    sum: Filled | None = None
    mean: Filled | None = None
    min: Filled | None = None
    max: Filled | None = None
    distinct: Filled | None = None
    from_: Name = Field(alias="from")
    where: Condition | None = None
    is_: Comparison = Field(alias="is")

    @property
    def measure(self) -> str | None:
        """The key that says what is measured; None where none or several do."""
        said = [key for key in MEASURES if getattr(self, key) is not None]
        return said[0] if len(said) == 1 else None

    @property
    def window(self) -> str:
        """The length of its window, as written."""
        raise NotImplementedError

    def feature(self) -> FeatureBase:
        """What is measured, as a feature over a window of that length that ends at the instant."""
        key = self.measure
        assert key is not None
        said = {key: getattr(self, key), "over": self.window}
        return MEASURES[key].model_validate(said | ({} if self.where is None else {"where": self.where}))

    @property
    def compared(self) -> tuple[str, float]:
        """How the number is compared, and with what."""
        how, bound = self.is_.split()
        return how, float(bound)

    def faults(self) -> Iterator[Fault]:
        """One measure, of what it can measure."""
        said = [key for key in MEASURES if getattr(self, key) is not None]
        if not said:
            yield (), f"says nothing about what it measures: add one of {', '.join(MEASURES)}", False
        for key in said[1:]:
            yield (key,), f"measures {said[0]} already: keep one of them", True
        if len(said) == 1:
            yield from self.feature().faults()


class Label(Query):
    """What is to be foretold: a number of the rows of the time after an instant, and what it must be."""

    next: Duration

    @property
    def window(self) -> str:
        """The length of time it looks ahead."""
        return self.next.text


class Population(Query):
    """Who is asked about: those for whom a number of the rows before an instant is as said."""

    over: WrittenWindow = "lifetime"

    @property
    def window(self) -> str:
        """The window before the instant."""
        return text_of(self.over)
