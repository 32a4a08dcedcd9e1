"""Which language a text is in: py3langid, whose model is in its package; nothing is fetched, nothing is random."""

from functools import lru_cache
from typing import Any

from limner.language.languages import UNDETERMINED

SURE = 0.5
"""The least probability, as py3langid normalizes it by length, at which a text counts as being in a language."""


@lru_cache(maxsize=1 << 15)
def language(text: str) -> str:
    """The ISO 639 code of the most probable language; `und` where that is less than `SURE` probable."""
    code: str = _identifier().classify(text)[0]
    return code


@lru_cache(maxsize=1)
def _identifier() -> Any:
    """The model, read once a process (1.5 s)."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.min_confidence = SURE
    assert UNDETERMINED == "und"  # what py3langid calls it
    return identifier
