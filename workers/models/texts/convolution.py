"""A convolutional network over the tokens of a text: what it computes, one text at a time.

Y. Kim, Convolutional Neural Networks for Sentence Classification (2014): token vectors, filters of several widths, the
greatest answer of each filter, a weighted sum of those. Only learning takes torch.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from limner.workers.derive.values import Array
from limner.workers.models.texts.learned import Convolution

PAD, OTHER, FIRST = 0, 1, 2
Weights = Mapping[str, npt.NDArray[np.float32]]
_WORD = re.compile(r"\w+|[^\w\s]")


def tokens(text: str, split: str, *, lowercase: bool) -> list[str]:
    """Its characters, or its words and signs."""
    text = text.lower() if lowercase else text
    return list(text) if split == "char" else _WORD.findall(text)


def places(model: Convolution, text: str) -> npt.NDArray[np.int64]:
    """The places of a text's tokens, as many as the widest filter needs at least."""
    known = _places_of(model.tokens)
    found = [known.get(each, OTHER) for each in tokens(text, model.split, lowercase=model.lowercase)[: model.longest]]
    return np.array(found + [PAD] * (max(model.widths) - len(found)), np.int64)


@lru_cache(maxsize=8)
def _places_of(known: tuple[str, ...]) -> dict[str, int]:
    return {each: place for place, each in enumerate(known, FIRST)}


def forward(model: Convolution, weights: Weights, text: str) -> Array:
    """[classes] scores of one text. Every product has the shape of this text alone: others change no bit of it."""
    vectors = weights["tokens"][places(model, text)]
    answers = []
    for width in model.widths:
        windows = np.lib.stride_tricks.sliding_window_view(vectors, width, axis=0)  # [places, vector, width]
        flat = windows.reshape(len(windows), -1)
        answers.append(np.maximum(flat @ weights[f"filters_{width}"] + weights[f"bias_{width}"], 0).max(axis=0))
    scores = np.concatenate(answers) @ weights["weights"] + weights["intercept"]
    return np.asarray(scores, np.float64)
