"""Encoders that count terms: no model, no server, no GPU."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from limner.language.scalars import Bool, Filled, Instant, Int
from limner.language.template import Template

LONGEST = 8


def _ngrams(value: Any) -> Any:
    pair = value if isinstance(value, list | tuple) and len(value) == 2 else (0, 0)
    least, most = (number if isinstance(number, int) and not isinstance(number, bool) else 0 for number in pair)
    if not 1 <= least <= most <= LONGEST:
        raise ValueError(f"expected the least and the most terms in a row, such as [1, 2], {LONGEST} at most")
    return value


NGrams = Annotated[tuple[Int, Int], BeforeValidator(_ngrams)]
Features = Annotated[Int, Field(ge=2, le=4096)]


class Terms(BaseModel):
    """What a term is: a word of two characters or more, or a run of characters; or several of them in a row."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    ngrams: NGrams = (1, 1)
    analyzer: Literal["word", "char", "char_wb"] = "word"
    lowercase: Bool = True


class Hashing(Terms):
    """Counts of terms, each at the place its hash says: nothing is learned, so any text at any time will do."""

    features: Features = 256


class Tfidf(Terms):
    """Counts of the most frequent terms of a source, weighted by rarity, both as known at one instant.

    Rows count from that instant on: a vector at an earlier one is null.
    """

    kind: ClassVar[str] = "tfidf"
    source: Filled
    text: Template
    fit: Instant
    features: Features = 512
    min_df: Annotated[Int, Field(ge=1)] = 1


class Word2Vec(BaseModel):
    """The mean vector of a text's terms: they are near to each other where a source's texts use them alike.

    They are learned as known at one instant. Rows count from that instant on: a vector at an earlier one is null.
    """

    kind: ClassVar[str] = "word2vec"
    model_config = ConfigDict(frozen=True, extra="forbid")
    source: Filled
    text: Template
    fit: Instant
    features: Annotated[Int, Field(ge=2, le=1024)] = 64
    analyzer: Literal["word", "char"] = "word"
    lowercase: Bool = True
    window: Annotated[Int, Field(ge=1, le=20)] = 5
    min_df: Annotated[Int, Field(ge=1)] = 2
    epochs: Annotated[Int, Field(ge=1, le=100)] = 5
    seed: Annotated[Int, Field(ge=0, lt=2**32)] = 0

    @property
    def ngrams(self) -> tuple[int, int]:
        """A term is one word, or one character."""
        return (1, 1)


Learning = Tfidf | Word2Vec
"""Encoders that learn of a source, as of an instant."""
