"""The kinds of models of the language. A kind is a class in a file of this package, named by a key of its document,
and a function in `limner.workers.models.fitting`.
"""

from limner.language.learning.classifier import Classifier
from limner.language.learning.interests import Interests
from limner.language.learning.propensity import Propensity
from limner.language.learning.segments import Segments
from limner.language.learning.sequence import SequenceEncoder

KINDS = (Propensity, Classifier, Interests, SequenceEncoder, Segments)
"""Each is a key of a model document."""

TextKind = Classifier | Interests
"""Kinds that are about texts, whoever wrote them, and not about an entity."""

__all__ = ["KINDS", "Classifier", "Interests", "Propensity", "Segments", "SequenceEncoder", "TextKind"]
