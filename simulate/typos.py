"""Slips of the pen, a text at a time: only few texts have one."""

import numpy as np


def slipped(rng: np.random.Generator, text: str, instead: dict[str, str]) -> str:
    """Return the text with one typo: a letter that looks or sounds alike, else two swapped, one lost, or one doubled.

    `instead` says which letters are taken for which others. Where there are such, they are the only typos, and a text
    without such letters stays as it is.
    """
    if instead:
        places = [place for place, letter in enumerate(text) if letter in instead]
        if not places:
            return text
        place = places[int(rng.integers(len(places)))]
        return text[:place] + instead[text[place]] + text[place + 1 :]
    places = [place for place in range(1, len(text) - 1) if text[place : place + 2].isalpha()]
    if not places:
        return text
    place = places[int(rng.integers(len(places)))]
    match int(rng.integers(3)):
        case 0:
            return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        case 1:
            return text[:place] + text[place + 1 :]
        case _:
            return text[:place] + text[place] + text[place:]
