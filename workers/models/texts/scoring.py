"""Texts to probabilities, in this process: what a version of a model of texts says of each text by itself."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from limner.language.errors import LimnerError
from limner.workers.derive.values import Array
from limner.workers.models.texts.convolution import forward
from limner.workers.models.texts.learned import Content, Convolution, Counted, Head, TextModel
from limner.workers.models.texts.scores import probabilities
from limner.workers.models.versions import LEARNED, VERSION, Version, digests, folder_of

ARRAYS, TEXT = "arrays.safetensors", "__text"
Reader = Callable[[Sequence[str]], Array]
"""[texts, classes] of texts."""


@lru_cache(maxsize=16)
def read_content(data: Path, model: str, version: str) -> tuple[TextModel, bytes]:
    """What a version learned, and its arrays. LimnerError where it is gone, or is not what was registered."""
    folder = folder_of(data, model) / version
    try:
        said = Version.model_validate_json((folder / VERSION).read_bytes()).files
        for name, digest in digests({name: folder / name for name in said}).items():
            if digest != said[name]:
                raise ValueError(f"the bytes of {name} are not those that were registered")
        return read_model(folder), (folder / ARRAYS).read_bytes() if ARRAYS in said else b""
    except (OSError, ValueError, KeyError) as error:
        raise LimnerError(
            f"version {version} of model {model} cannot be read ({error}): restore {folder}, or remove it, then "
            f"`limner fit {model}` as of its cut-off, `limner plan` and `limner apply`"
        ) from error


def read_model(folder: Path) -> TextModel:
    """What a version learned. OSError or ValueError where it cannot be read."""
    return Content.model_validate_json((folder / LEARNED).read_bytes()).model


def read_head(data: Path, model: str, version: str) -> Head:
    """As `read_content`, of a model on an encoder's vectors."""
    found, _ = read_content(data, model, version)
    assert isinstance(found, Head)
    return found


@lru_cache(maxsize=16)
def read_scorer(data: Path, model: str, version: str) -> Reader:
    """As `read_content`, of a model that reads texts."""
    return scorer(*read_content(data, model, version))


def scorer(model: TextModel, arrays: bytes) -> Reader:
    """The function from texts to probabilities."""
    match model:
        case Counted():
            return _counted(model)
        case Convolution():
            return _convolution(model, arrays)
    raise AssertionError("a head takes vectors, and a server runs a tuned encoder")


def _counted(model: Counted) -> Reader:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        vocabulary=list(model.terms),
        analyzer=model.analyzer,
        ngram_range=model.ngrams,
        lowercase=model.lowercase,
        sublinear_tf=True,
    )
    vectorizer.idf_ = np.array(model.idf)
    weights, intercept = np.array(model.weights).T.copy(), np.array(model.intercept)

    def read(texts: Sequence[str]) -> Array:
        rows: Any = vectorizer.transform(texts)
        rows.sort_indices()  # a row is added up by its terms in order
        return probabilities(np.asarray(rows @ weights) + intercept, model.temperature)

    return read


def _convolution(model: Convolution, arrays: bytes) -> Reader:
    from safetensors.numpy import load
    from threadpoolctl import threadpool_limits

    weights = load(arrays)

    def read(texts: Sequence[str]) -> Array:
        with threadpool_limits(1):  # sums of several threads depend on their number
            scores = [forward(model, weights, text) for text in texts]
        found = np.array(scores, np.float64).reshape(len(texts), len(model.classes))
        return probabilities(found, model.temperature)

    return read
