"""How an encoder's own weights are learned on, for a classifier."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from limner.language.scalars import Int, Number

How = Literal["full", "lora"]
RATES: dict[str, float] = {"full": 2e-5, "lora": 2e-4}


class Tuning(BaseModel):
    """Which weights are learned, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    how: How = "full"
    rank: Annotated[Int, Field(ge=1, le=256)] | None = None
    rate: Annotated[Number, Field(gt=0, le=1)] | None = None
    epochs: Annotated[Int, Field(ge=1, le=100)] = 4
    batch: Annotated[Int, Field(ge=2, le=4096)] = 32

    @property
    def inner(self) -> int:
        """The rank of what is added to a layer's weights."""
        return 8 if self.rank is None else self.rank

    @property
    def chosen(self) -> dict[str, float]:
        """What stands where a key is left out."""
        return {"rate": self.highest} | ({"rank": self.inner} if self.how == "lora" else {})

    @property
    def highest(self) -> float:
        """The learning rate after its warm-up."""
        return RATES[self.how] if self.rate is None else float(self.rate)


Tune = Annotated[
    Annotated[How, Tag("<one>")] | Annotated[Tuning, Tag("<mapping>")],
    Discriminator(lambda value: "<mapping>" if isinstance(value, dict | Tuning) else "<one>"),
]
