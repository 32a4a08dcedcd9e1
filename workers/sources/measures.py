"""What can be measured at one text."""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from limner.language.features.text import Measure

# Scripts written without spaces, of which a character is a word: Han, Hiragana and Katakana.
_ALONE = "\u3005\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
_ALONE += "\uf900-\ufaff\uff66-\uff9f\U0001b000-\U0001b16f\U00020000-\U0003ffff"
_NUMBER = r"(?<=\d)[.,](?=\d)"
_ASCII_WORD = re.compile(rf"[A-Za-z0-9]+(?:(?:'|{_NUMBER})[A-Za-z0-9]+)*")
# A stop of the Latin kind ends a sentence only before white space or the end, closing quotes and brackets aside.
_CLOSING = "[\"'\u2019\u201d\u00bb)\\]\u300d\u300f\uff09]*"
_END = re.compile(rf"[。\uff01\uff1f｡]+|(?<![.!?…])[.!?…]++(?={_CLOSING}(?:\s|$))|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")


def measured(measure: Measure, tokenizer: Path | None, text: str) -> int | None:
    """`measure` of a text as it was written from its columns; None where nothing but white space is left of it."""
    collapsed = " ".join(text.split())
    if not collapsed:
        return None
    return _measure(measure, tokenizer)(text if measure == "sentences" else collapsed)


def words(text: str) -> int:
    """Number of words: a Chinese character or a kana is one, so is a run of other letters, digits and marks.

    An apostrophe between two letters or digits does not end a word, nor does a point or comma between two digits.
    """
    if text.isascii():
        return sum(1 for _ in _ASCII_WORD.finditer(text))
    return sum(1 for _ in _word().finditer(text))


def sentences(text: str) -> int:
    """Number of pieces with a letter or digit, cut at line ends, at the stops of Chinese and Japanese, and at those of
    Latin (. ! ? …) that stand before white space or the end.
    """
    return sum(1 for piece in _END.split(text) if any(map(str.isalnum, piece)))


def _measure(measure: Measure, tokenizer: Path | None) -> Callable[[str], int]:
    if measure == "tokens":
        assert tokenizer is not None
        return partial(_tokens, tokenizer)
    known: dict[str, Callable[[str], int]] = {"words": words, "sentences": sentences, "characters": len}
    return known[measure]


@lru_cache(maxsize=1)
def _word() -> re.Pattern[str]:
    """A letter or digit, then letters, digits and marks (accents, vowel signs), single apostrophes between them."""
    marks = "".join(chr(code) for code in range(0x110000) if unicodedata.category(chr(code)).startswith("M"))
    letter = rf"(?![{_ALONE}])[^\W_]"
    run = rf"{letter}(?:{letter}|[{marks}])*"
    return re.compile(rf"[{_ALONE}]|{run}(?:(?:['\u2019]|{_NUMBER}){run})*")


def _tokens(folder: Path, text: str) -> int:
    """Number of tokens; those that the tokenizer adds around every text do not count, and nothing is cut."""
    return len(_tokenizer(folder).encode(text, add_special_tokens=False).ids)


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> Any:
    """The tokenizer of a model's folder; older formats than tokenizer.json are converted."""
    from tokenizers import Tokenizer

    if (folder / "tokenizer.json").is_file():
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    else:
        from transformers import AutoTokenizer

        converted: Any = AutoTokenizer.from_pretrained(str(folder))
        tokenizer = converted.backend_tokenizer
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
