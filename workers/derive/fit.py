"""Fits: what a feature knows of the population of entities as of an instant. Made once, never changed."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict


class Scale(BaseModel):
    """`(x - center) / width`: mean and standard deviation (n), or least value and range.

    `width` None: nobody had a value, or all the same; there is nothing to compare with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    center: float
    width: float | None
    count: int


class Components(BaseModel):
    """Principal components: `(x - mean) @ rows.T`, rows of unit length, each with its share of the variance."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mean: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]
    explained: tuple[float, ...]
    entities: int


class Fit(BaseModel):
    """A fit of one output as of `instant` (µs): how many entities there were, and what was learned of them.

    `scales` are by what is scaled, and how: see `key`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    output: str
    instant: int
    entities: int
    scales: dict[str, Scale] = {}
    components: Components | None = None

    @staticmethod
    def key(how: str, output: str) -> str:
        """The place of one scale among `scales`: one output may be scaled in two ways."""
        return f"{how} of {output}"

    @property
    def identity(self) -> str:
        """sha256 (hex) of its content."""
        data = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(data.encode()).hexdigest()
