"""The kind whose values a model foretells."""

from typing import Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from limner.language.derived_base import Derived, OperandTypes
from limner.language.feature_base import Operand
from limner.language.scalars import Filled
from limner.language.types import NUMBERS, OutputType


class Pin(BaseModel):
    """A version of a model: what was learned of what was known before `cut_off` (µs)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cut_off: int
    version: str


class Predict(Derived):
    """What a model says of the entity: a probability. At an instant the version with the latest cut-off speaks.

    Null before the first cut-off. What the model reads must be features of the view's `views`.
    """

    kind = "predict"
    takes = (*NUMBERS, "bool")
    predict: Filled
    _inputs: tuple[str, ...] = PrivateAttr(())
    _pins: tuple[Pin, ...] = PrivateAttr(())

    def bound(self, inputs: tuple[str, ...], pins: tuple[Pin, ...]) -> Self:
        """This feature, knowing what its model reads (`view.feature`) and which versions of it there are."""
        made = self.model_copy()
        made._inputs, made._pins = inputs, pins
        return made

    @property
    def inputs(self) -> tuple[str, ...]:
        """What the model reads, in its order; empty before it is bound."""
        return self._inputs

    @property
    def pins(self) -> tuple[Pin, ...]:
        """The versions that speak, by rising cut-off."""
        return self._pins

    def operands(self) -> tuple[Operand, ...]:
        """What the model reads."""
        return tuple(Operand(("predict",), name, self.takes) for name in self._inputs)

    @property
    def together(self) -> bool:
        """One value of all."""
        return True

    @property
    def turns(self) -> tuple[int, ...]:
        """The cut-offs of its versions."""
        return tuple(pin.cut_off for pin in self._pins)

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """A float."""
        return OutputType("float")
