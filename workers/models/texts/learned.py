"""What was learned of texts, as data: numbers and terms, so that a version can be read by anybody and executes nothing.

`model.json` is one of these; a convolution's arrays are in `arrays.safetensors` beside it; a tuned
encoder's weights, config and tokenizer in files named as transformers names them.
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from limner.workers.derive.values import Array
from limner.workers.models.texts.scores import probabilities, products, unit

Floats = tuple[float, ...]
Positive = Annotated[float, Field(gt=0)]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    classes: Annotated[tuple[str, ...], Field(min_length=2)]
    temperature: Positive = 1.0


class Head(_Data):
    """A weighted sum of an encoder's vector for each class: `intercept + weights . (x - center)`.

    With `unit`, what is left after the center is taken away is given length 1.
    """

    kind: Literal["head"] = "head"
    center: Floats
    unit: bool = False
    weights: tuple[Floats, ...]
    intercept: Floats

    @model_validator(mode="after")
    def _fits(self) -> "Head":
        _check(self.classes, self.weights, self.intercept, len(self.center))
        return self

    def scores(self, vectors: Array) -> Array:
        """[texts, classes] of vectors [texts, dim]."""
        rows = vectors.astype(np.float64) - np.array(self.center)
        rows = unit(rows) if self.unit else rows
        found: Array = products(rows, np.array(self.weights)) + np.array(self.intercept)
        return found

    def probabilities(self, vectors: Array) -> Array:
        """[texts, classes] that add up to 1."""
        return probabilities(self.scores(vectors), self.temperature)


class Counted(_Data):
    """A weighted sum of a text's terms for each class; a term weighs in by tf-idf, texts have length 1."""

    kind: Literal["tfidf"] = "tfidf"
    analyzer: Literal["word", "char", "char_wb"]
    ngrams: tuple[int, int]
    lowercase: bool
    terms: Annotated[tuple[str, ...], Field(min_length=1)]
    idf: Floats
    weights: tuple[Floats, ...]
    intercept: Floats

    @model_validator(mode="after")
    def _fits(self) -> "Counted":
        _check(self.classes, self.weights, self.intercept, len(self.terms))
        if len(self.idf) != len(self.terms):
            raise ValueError("there is not a rarity for each term")
        return self


class Convolution(_Data):
    """A convolutional network over characters or words (Y. Kim, 2014); its arrays are a file of their own.

    A text is the places of its tokens in `tokens`, from 2 on; 1 is any other token, 0 fills up short texts.
    """

    kind: Literal["textcnn"] = "textcnn"
    split: Literal["char", "word"]
    lowercase: bool
    tokens: tuple[str, ...]
    longest: Annotated[int, Field(ge=1)]
    widths: Annotated[tuple[int, ...], Field(min_length=1)]


class Tuned(_Data):
    """An encoder whose own weights were learned on, with a head; they are files of their own, and a server runs them.

    The head's scores have been divided by `temperature` already.
    """

    kind: Literal["tuned"] = "tuned"
    how: Literal["full", "lora"]
    pooling: Literal["mean", "cls", "max"]
    max_tokens: Annotated[int, Field(ge=1)]
    precision: str


TextModel = Head | Counted | Convolution | Tuned


class Content(BaseModel):
    """A version's content."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: Annotated[TextModel, Field(discriminator="kind")]


def floats(values: Array) -> Floats:
    """As plain numbers; -0.0 becomes 0.0."""
    return tuple((np.asarray(values, np.float64) + 0.0).tolist())


def _check(classes: tuple[str, ...], weights: tuple[Floats, ...], intercept: Floats, inputs: int) -> None:
    if {len(weights), len(intercept)} != {len(classes)} or {len(each) for each in weights} != {inputs}:
        raise ValueError("there is not a weight for each class and input")
