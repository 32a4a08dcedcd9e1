"""The kind whose values a model foretells."""

from limner.language.derived_base import OperandTypes
from limner.language.features.asking import Asking
from limner.language.scalars import Filled
from limner.language.types import NUMBERS, OutputType


class Predict(Asking):
    """What a model says of the entity: a probability. At an instant the version with the latest cut-off speaks.

    Null before the first cut-off. What the model reads must be features of the view's `views`.
    """

    kind = "predict"
    asks = "propensity"
    takes = (*NUMBERS, "bool", "string")
    vectors = True
    takes_words = "numbers, words (strings) and vectors"
    predict: Filled

    @property
    def wanted(self) -> str:
        """The probability."""
        return "probability"

    def derived_type(self, operands: OperandTypes) -> OutputType:
        """A float."""
        return OutputType("float")
