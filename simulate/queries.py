"""The texts of searches: what is looked for, coloured by the intent, and by who minds prices."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.simulate.catalog import tag_of
from limner.simulate.grammar import Grammar, in_languages
from limner.simulate.words import joined

BRANDED = 0.2
CHEAP = 0.5  # times price sensitivity: chance of a word about price


def queries(
    rng: np.random.Generator, language: np.ndarray, intent: np.ndarray, category: np.ndarray, sensitivity: np.ndarray
) -> pa.Array:
    """A text of each search, in its writer's language."""
    cheap = CHEAP * sensitivity
    return in_languages(language, lambda own, rows: _texts(rng, own, intent[rows], category[rows], cheap[rows]))


def _texts(
    rng: np.random.Generator, own: Grammar, intent: np.ndarray, category: np.ndarray, cheap: np.ndarray
) -> pa.Array:
    count = len(intent)
    nothing = np.zeros(count, dtype=np.int64)
    parts = [
        own.before.pick(rng, intent),
        own.cheap.pick(rng, nothing, rng.random(count) < cheap),
        own.brands.pick(rng, tag_of(category), rng.random(count) < BRANDED),
        own.styles.pick(rng, nothing),
        own.items.of(category),
        own.after.pick(rng, intent),
    ]
    return joined([_left_out(part) for part in parts], " ")


def _left_out(part: pa.Array) -> pa.Array:
    """Null for an empty phrase, so that no two spaces meet."""
    return pc.if_else(pc.equal(part, ""), pa.scalar(None, pa.string()), part)
