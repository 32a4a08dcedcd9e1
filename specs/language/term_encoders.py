"""Encoders that count terms: no model, no server, no GPU."""

from typing import Annotated, Any, Literal

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

    source: Filled
    text: Template
    fit: Instant
    features: Features = 512
    min_df: Annotated[Int, Field(ge=1)] = 1
