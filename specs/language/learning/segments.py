"""The kind that finds groups of entities that are alike."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from limner.language.feature_base import Fault
from limner.language.learning.queries import Population
from limner.language.names import Member
from limner.language.scalars import Int, found

MOST = 50
"""The greatest number of segments that may be asked for."""


def _k(value: object) -> object:
    """A number, or the first and the last of a range."""
    if not isinstance(value, list | tuple):
        if not isinstance(value, int) or isinstance(value, bool) or not 2 <= value <= MOST:
            raise ValueError(f"found {found(value)}, expected a number of 2 to {MOST}, or a range such as [3, 12]")
        return (value, value)
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in value)
    if len(value) != 2 or not whole or not 2 <= value[0] <= value[1] <= MOST:
        text = ", ".join(map(str, value[:4]))
        raise ValueError(f"found [{text}], expected the first and the last of a range within 2 to {MOST}: [3, 12]")
    return value


Ks = Annotated[
    tuple[int, int],
    BeforeValidator(_k, json_schema_input_type=int | Annotated[list[int], Field(min_length=2, max_length=2)]),
]


class Segments(BaseModel):
    """Groups of entities that are alike, as of the cut-off.

    Those of the population as of the cut-off are grouped by their features. A number is scaled; a vector counts as much
    as one number. The median of a number and the mean of a vector stand for null.
    """

    kind: ClassVar[str] = "segments"
    every: ClassVar[Literal["event"]] = "event"  # it looks at one instant, the cut-off, whatever it is
    model_config = ConfigDict(frozen=True, extra="forbid")
    features: Annotated[tuple[Member, ...], Field(min_length=1)]
    population: Population | None = None
    method: Literal["kmeans", "hdbscan"] = "kmeans"
    k: Ks | None = None
    least: Annotated[Int, Field(ge=2)] | None = None
    scale: Literal["zscore", "log_zscore", "minmax", "none"] = "zscore"

    @property
    def queries(self) -> tuple[tuple[str, Population], ...]:
        """The questions it asks of rows, by key."""
        return (("population", self.population),) if self.population is not None else ()

    @property
    def ks(self) -> tuple[int, ...]:
        """The numbers of segments to choose from."""
        first, last = self.k or (2, 10)
        return tuple(range(first, last + 1))

    def faults(self) -> Iterator[Fault]:
        """Rules of the kind that no type can say."""
        if self.method == "hdbscan" and self.k is not None:
            yield ("k",), "hdbscan finds by itself how many segments there are: remove k, or say least", True
        if self.method == "kmeans" and self.least is not None:
            yield ("least",), "least is for hdbscan: remove it, or say k", True
        for key, query in self.queries:
            for path, text, at_key in query.faults():
                yield (key, *path), text, at_key
