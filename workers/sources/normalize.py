"""Text normalization: one pure function of a text and its rules, in a fixed order."""

import html
import re
import unicodedata
from collections.abc import Callable

from limner.language.models import TextCleaning

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<![A-Za-z][^<>]*>")
_HIDDEN = (("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>"))
# White space as str.split() knows it stays for the white-space step; zero-width spaces, byte order marks and the
# controls of writing direction are invisible and split words; joiners (U+200C, U+200D) are part of scripts and emoji.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def normalizer(rules: TextCleaning) -> Callable[[str], str]:
    """The function that applies `rules`: Unicode form, HTML, control characters, white space, case, then length.

    HTML: comments, scripts and styles go with their content, other tags become a space, then entities are decoded.
    White space: each run becomes one space, none at the ends. Length counts characters (code points).
    """

    def normalize(text: str) -> str:
        if rules.unicode != "none" and not text.isascii():
            text = unicodedata.normalize(rules.unicode, text)
        if rules.html == "strip" and ("<" in text or "&" in text):
            text = without_html(text)
        if rules.control == "strip":
            text = _CONTROL.sub("", text)
        if rules.whitespace == "collapse":
            text = " ".join(text.split())
        if rules.case == "lower":
            text = text.lower()
        return text if rules.max_chars is None else text[: rules.max_chars]

    return normalize


def without_html(text: str) -> str:
    """The text a browser would show, roughly; linear in its length whatever it holds."""
    for opening, closing in _HIDDEN:
        text = _cut(text, opening, closing)
    return html.unescape(_TAG.sub(" ", text))


def _cut(text: str, opening: str, closing: str) -> str:
    """Replace each `opening ... closing` by a space; one that never closes stays."""
    lower = text.lower() if text.isascii() else _ascii_lower(text)
    kept: list[str] = []
    end = 0
    while (start := lower.find(opening, end)) >= 0:
        close = lower.find(closing, start + len(opening))
        if close < 0:
            break
        kept += [text[end:start], " "]
        end = close + len(closing)
    return "".join([*kept, text[end:]])


def _ascii_lower(text: str) -> str:
    """Lower-case ASCII only: `str.lower` may change the number of characters."""
    return text.translate(_ASCII_LOWER)


_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
