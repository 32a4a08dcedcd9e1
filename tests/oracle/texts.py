"""What is measured at a text, and which language it is in, character by character."""

import re
import unicodedata
from functools import cache
from typing import Any

LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
CLOSING = "\"'\u2019\u201d»)]」』\uff09"


def collapsed(text: str) -> str:
    """White space as one space, none at the ends."""
    return re.sub(r"\s+", " ", text).strip()


def measured(measure: str, text: str) -> int | None:
    """One measure of a text as written; None for a text of nothing."""
    if not collapsed(text):
        return None
    if measure == "characters":
        return len(collapsed(text))
    return words(text) if measure == "words" else sentences(text)


def words(text: str) -> int:
    """Ideographs and kana one by one, runs of other letters, digits and marks."""
    count, inside = 0, False
    for place, char in enumerate(text):
        before, after = text[place - 1 : place], text[place + 1 : place + 2]
        if alone(char):
            count, inside = count + 1, False
        elif char.isalnum():
            count, inside = count + (not inside), True
        elif unicodedata.category(char)[0] == "M":
            continue  # goes with what it stands on
        else:
            joins = char in "'\u2019" and inside and after.isalnum() and not alone(after)
            inside = joins or (char in ".," and before.isdecimal() and after.isdecimal())
    return count


def alone(char: str) -> bool:
    """Whether a character is a word of its own."""
    name = unicodedata.name(char, "")
    parts = ("CJK UNIFIED", "CJK COMPATIBILITY IDEOGRAPH", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA")
    return char.isalnum() and any(part in name for part in parts)


def sentences(text: str) -> int:
    """Pieces with something to read in them."""
    pieces, piece = [], ""
    for place, char in enumerate(text):
        rest = text[place + 1 :].lstrip(".!?…").lstrip(CLOSING)
        if char in LINE_ENDS or char in "。\uff01\uff1f｡" or (char in ".!?…" and (not rest or rest[0].isspace())):
            pieces.append(piece)
            piece = ""
        else:
            piece += char
    return sum(1 for one in [*pieces, piece] if any(char.isalnum() for char in one))


@cache
def language_of(text: str) -> str:
    """What the library says; `und` below one half."""
    code, probability = _identifier().classify(text)
    return code if probability >= 0.5 else "und"


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
