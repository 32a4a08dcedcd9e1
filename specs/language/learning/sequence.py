"""The kind that learns what follows what in an entity's rows."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from limner.language.durations import Duration
from limner.language.expressions import Condition
from limner.language.feature_base import Fault, repeated
from limner.language.names import Name
from limner.language.scalars import Filled, Int


class SequenceEncoder(BaseModel):
    """Which items come next, given the newest rows, and the state of a network that has read them.

    It learns from the rows that are known by the cut-off: at each instant of an entity, what its next instant has.
    An item that was seen less than `least` times is another one, as is one that is new.
    """

    kind: ClassVar[str] = "sequence"
    model_config = ConfigDict(frozen=True, extra="forbid")
    item: Filled
    from_: Name = Field(alias="from")
    columns: tuple[Filled, ...] = ()
    where: Condition | None = None
    architecture: Literal["gru", "transformer"] = "gru"
    length: Annotated[Int, Field(ge=2, le=500)] = 50
    dim: Annotated[Int, Field(ge=2, le=256)] = 32
    least: Annotated[Int, Field(ge=1)] = 5
    epochs: Annotated[Int, Field(ge=1, le=200)] = 20
    over: Duration | None = None

    @property
    def read(self) -> tuple[str, ...]:
        """What it reads of a row: the item, then the further columns."""
        return (self.item, *self.columns)

    def faults(self) -> Iterator[Fault]:
        """A column is read once."""
        yield from repeated(("columns",), self.columns, "column")
        if self.item in self.columns:
            yield ("columns", self.columns.index(self.item)), f"{self.item!r} is the item, and read as such", False
