"""The kind that makes vectors of texts."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from limner.language.durations import Duration
from limner.language.feature_base import Fault, Read, Windowed, repeated
from limner.language.languages import Languages
from limner.language.scalars import Filled, Int, Text
from limner.language.template import Template
from limner.language.types import NUMBERS, LogicalType, OutputType


class MeanPool(BaseModel):
    """Weighted mean of text vectors: by a column, by recency, over the newest n rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    weight: Filled | None = None
    half_life: Duration | None = None
    newest: Annotated[Int, Field(ge=1, le=1000)] | None = None


class Pool(BaseModel):
    """How a window's text vectors become one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mean: MeanPool = MeanPool()


class Embed(Windowed):
    """Vectors of a text written from columns, encoded by BERT and pooled over the window. Null when empty."""

    kind = "embed"
    embed: Template
    encoder: Filled
    prefix: Text | None = None
    languages: Languages = ()
    pool: Annotated[
        Annotated[Literal["mean"], Tag("<one>")] | Annotated[Pool, Tag("<mapping>")],
        Discriminator(lambda value: "<mapping>" if isinstance(value, dict | Pool) else "<one>"),
    ] = "mean"

    @property
    def column(self) -> str | None:
        """None: a text is written from a template."""
        return None

    @property
    def pooling(self) -> MeanPool:
        """The pooling asked for, defaults filled in."""
        return self.pool.mean if isinstance(self.pool, Pool) else MeanPool()

    def reads(self) -> tuple[Read, ...]:
        """The columns of the text, and the weight."""
        texts = tuple(Read(("embed",), name, text=True) for name in self.embed.columns)
        weight = self.pooling.weight
        if weight is None:
            return texts
        return (*texts, Read(("pool", "mean", "weight"), weight, NUMBERS, "a weight is a number"))

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A vector of the encoder's length."""
        return OutputType("float", list=True, dim=dims[self.encoder])

    def faults(self) -> Iterator[Fault]:
        """A language is named once."""
        yield from repeated(("languages",), self.languages, "language")

    @property
    def order_matters(self) -> bool:
        """Some of several tied rows may be the newest n."""
        return self.pooling.newest is not None
