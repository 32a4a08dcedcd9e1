"""What kinds have in common whose values a model gives."""

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, PrivateAttr

from limner.language.derived_base import Derived
from limner.language.feature_base import Operand
from limner.language.types import NUMBERS


class Pin(BaseModel):
    """A version of a model: what was learned of what was known before `cut_off` (µs)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cut_off: int
    version: str


class Asking(Derived):
    """A kind whose value a model gives: at an instant its version with the latest cut-off speaks.

    The key that names the kind names the model. What the model reads must be features of the view's `views`.
    """

    asks: ClassVar[str]
    """The kind of models that it asks."""
    takes = (*NUMBERS, "bool")
    vectors: ClassVar[bool] = False  # whether a model of that kind may read vectors, too
    takes_words: ClassVar[str] = "numbers"
    _inputs: tuple[str, ...] = PrivateAttr(())
    _pins: tuple[Pin, ...] = PrivateAttr(())

    def bound(self, inputs: tuple[str, ...], pins: tuple[Pin, ...]) -> Self:
        """This feature, knowing what its model reads (`view.feature`) and which versions of it there are."""
        made = self.model_copy()
        made._inputs, made._pins = inputs, pins
        return made

    @property
    def model(self) -> str:
        """The name of the model."""
        name: str = getattr(self, self.kind)
        return name

    @property
    def wanted(self) -> str:
        """Which of the things that a model says is the value."""
        raise NotImplementedError

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
        vector = None if self.vectors else False
        return tuple(Operand((self.kind,), name, self.takes, vector) for name in self._inputs)

    @property
    def together(self) -> bool:
        """One value of all."""
        return True

    @property
    def turns(self) -> tuple[int, ...]:
        """The cut-offs of its versions."""
        return tuple(pin.cut_off for pin in self._pins)
