"""The kinds of models of the language. A kind is a class in a file of this package, named by a key of its document,
and a function in `limner.workers.models.kinds`.
"""

from limner.language.learning.propensity import Propensity

KINDS = (Propensity,)
"""Each is a key of a model document."""

__all__ = ["KINDS", "Propensity"]
