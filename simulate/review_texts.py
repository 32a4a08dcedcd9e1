"""The texts of reviews: a quarter are stock phrases that many write, the rest put together from clauses.

A clause speaks of an aspect ("the fit is really good"), denies the opposite ("the fit is not at all bad") or is a whole
sentence. No irony: apart from a concession that "but" takes back, every clause has the review's sentiment.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limner.simulate.catalog import tag_of
from limner.simulate.grammar import Grammar, in_languages
from limner.simulate.typos import slipped
from limner.simulate.words import SENTIMENTS, joined

SHORT = 0.25
MOST_CLAUSES = 6
MORE_CLAUSES = 1.2  # mean of a Poisson: clauses after the first, of texts that are not short
OPENS, TELLS, CLOSES = 0.4, 0.3, 0.4  # chance of an opening, a story that says nothing of the product, a closing
CONCEDES = 0.15  # chance of a first clause of another sentiment, taken back
DENIES, SENTENCE = 0.15, 0.4  # of clauses; the rest speak of an aspect
TYPOS = 0.08
CAPITAL = 0.6  # chance that the first letter is one


def review_texts(
    rng: np.random.Generator, language: np.ndarray, sentiment: np.ndarray, category: np.ndarray
) -> pa.Array:
    """A text of each review, in its writer's language."""
    return in_languages(language, lambda own, rows: _texts(rng, own, sentiment[rows], category[rows]))


def _texts(rng: np.random.Generator, own: Grammar, sentiment: np.ndarray, category: np.ndarray) -> pa.Array:
    count = len(sentiment)
    short = rng.random(count) < SHORT
    whole = ~short
    clauses = np.where(short, 0, 1 + np.minimum(rng.poisson(MORE_CLAUSES, count), MOST_CLAUSES - 1))
    group = category * len(SENTIMENTS) + sentiment
    nothing = np.zeros(count, dtype=np.int64)

    def chance(share: float) -> np.ndarray:
        return whole & (rng.random(count) < share)

    opens, tells, closes, concedes = chance(OPENS), chance(TELLS), chance(CLOSES), chance(CONCEDES)
    other = np.where(sentiment == 1, 2 * rng.integers(0, 2, count), 2 - sentiment)
    parts = [
        own.short.pick(rng, sentiment, short),
        own.short_ends.pick(rng, nothing, short),
        own.open.pick(rng, group, opens),
        own.joints.pick(rng, nothing, opens),
        own.stories.pick(rng, tag_of(category), tells),
        own.joints.pick(rng, nothing, tells),
        _clause(rng, own, other, category, concedes),
        own.but.pick(rng, nothing, concedes),
    ]
    for number in range(MOST_CLAUSES):
        there = clauses > number
        if number:
            parts.append(own.joints.pick(rng, nothing, there))
        parts.append(_clause(rng, own, sentiment, category, there))
    parts += [
        own.joints.pick(rng, nothing, closes),
        own.close.pick(rng, sentiment, closes),
        own.ends.pick(rng, nothing, whole),
    ]
    return _written(rng, own, joined(parts, ""))


def _clause(
    rng: np.random.Generator, own: Grammar, sentiment: np.ndarray, category: np.ndarray, there: np.ndarray
) -> pa.Array:
    """One clause of a sentiment; null where not `there`."""
    kind = rng.random(len(sentiment))
    denies = there & (kind < DENIES) & (sentiment != 1)
    sentence = there & (kind >= 1 - SENTENCE)
    states = there & ~denies & ~sentence
    nothing = np.zeros(len(sentiment), dtype=np.int64)
    degrees = own.degrees.pick(rng, nothing, states)
    parts = [
        own.heads.pick(rng, category, states | denies),
        pc.if_else(pc.equal(degrees, ""), pa.scalar(None, pa.string()), degrees),
        own.denials.pick(rng, nothing, denies),
        own.adjectives.pick(rng, sentiment, states),
        own.opposites.pick(rng, sentiment, denies),
        own.sentences.pick(rng, category * len(SENTIMENTS) + sentiment, sentence),
    ]
    return pc.if_else(pa.array(there), joined(parts, own.space), pa.scalar(None, pa.string()))


def _written(rng: np.random.Generator, own: Grammar, texts: pa.Array) -> pa.Array:
    """As people type: most begin with a capital, some slip."""
    count = len(texts)
    raised = joined([pc.utf8_upper(pc.utf8_slice_codeunits(texts, 0, 1)), pc.utf8_slice_codeunits(texts, 1)], "")
    texts = pc.if_else(pa.array(rng.random(count) < CAPITAL), raised, texts)
    slips = rng.random(count) < TYPOS
    if not slips.any():
        return texts
    wrong = [slipped(rng, text, own.typos) for text in texts.filter(pa.array(slips)).to_pylist()]
    return pc.replace_with_mask(texts, pa.array(slips), pa.array(wrong, pa.string()))
