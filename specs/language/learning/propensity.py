"""The kind that learns how likely something is to happen to an entity."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from limner.language.durations import Duration
from limner.language.feature_base import Fault
from limner.language.learning.queries import Label, Population
from limner.language.names import Member


class Propensity(BaseModel):
    """How likely the label is, as a probability, given features as of an instant.

    An example is an entity of the population at an instant `q` of the grid `every`, with its features as of `q` and its
    label, which is made of the rows of [q, q + next) that are known by the cut-off.
    """

    kind: ClassVar[str] = "propensity"
    model_config = ConfigDict(frozen=True, extra="forbid")
    features: Annotated[tuple[Member, ...], Field(min_length=1)]
    label: Label
    population: Population | None = None
    learner: Literal["logistic", "boosting"] = "logistic"
    calibrate: Literal["sigmoid", "isotonic", "none"] = "sigmoid"
    every: Duration
    over: Duration | None = None

    @property
    def queries(self) -> tuple[tuple[str, Label | Population], ...]:
        """The questions it asks of rows, by key."""
        asked: tuple[tuple[str, Label | Population | None], ...] = (
            ("label", self.label),
            ("population", self.population),
        )
        return tuple((key, query) for key, query in asked if query is not None)

    def faults(self) -> Iterator[Fault]:
        """Rules of the kind that no type can say."""
        for key, query in self.queries:
            for path, text, at_key in query.faults():
                yield (key, *path), text, at_key
