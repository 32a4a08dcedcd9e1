"""Texts told apart before they are divided: a text on both sides of a split is measured by having been learned."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Distinct:
    """Places of the texts that are kept, ascending, and how many others there were."""

    kept: tuple[int, ...]
    repeats: int
    contradicting: int  # rows of a text that has more than one label: none of them is kept


def distinct(texts: Sequence[str], labels: Sequence[object]) -> Distinct:
    """The first of equal texts, compared without letter case, width, punctuation and white space; empty ones go."""
    first: dict[str, int] = {}
    said: dict[str, set[object]] = {}
    keys = [canonical(text) for text in texts]
    for place, (key, label) in enumerate(zip(keys, labels, strict=True)):
        first.setdefault(key, place)
        said.setdefault(key, set()).add(label)
    kept = tuple(place for key, place in first.items() if key and len(said[key]) == 1)
    contradicting = sum(len(said[key]) > 1 for key in keys if key)
    return Distinct(kept, len(texts) - len(kept) - contradicting, contradicting)


def canonical(text: str) -> str:
    """The letters and digits of a text, in one width and case: what two spellings of it have in common."""
    return "".join(each for each in unicodedata.normalize("NFKC", text).casefold() if each.isalnum())
