"""Which bought items are reviewed, what is felt about them, and the stars that are given."""

import numpy as np

from limner.simulate.catalog import catalog
from limner.simulate.lives import Lives, mood_at
from limner.simulate.options import DAY, Options
from limner.simulate.people import People
from limner.simulate.rows import BUY, NONE, REVIEW, Rows, rows
from limner.simulate.words import SENTIMENTS

BASE, SATISFACTION, NOISE = 0.35, 0.5, 0.5
NEGATIVE_BELOW, POSITIVE_FROM = -0.35, 0.15
BAD_BELOW, BEST_FROM = -1.0, 0.8  # one star, five stars
SLIPS = 0.02  # share of ratings that are any number of stars


def reviews(options: Options, people: People, lives: Lives, shopped: Rows, rng: np.random.Generator) -> Rows:
    """Reviews of bought items, a day and more after (4 days more on average), by who and when is still there.

    How it felt: BASE + quality of the product + SATISFACTION x the shopper's satisfaction + mood + N(0, NOISE).
    """
    bought = shopped.take(shopped.kind == BUY)
    at = bought.at + DAY + (rng.exponential(4, len(bought)) * DAY).astype(np.int64)
    written = (rng.random(len(bought)) < people.writing[bought.who]) & (at < lives.ends[bought.who])
    noise = rng.normal(0, NOISE, len(bought))[written]
    slips, stars = rng.random(len(bought))[written] < SLIPS, rng.integers(1, 6, len(bought))[written]
    bought, at = bought.take(written), at[written]
    mood = mood_at(options, lives, bought.who, at)
    quality = catalog(options.seed).quality[bought.product]
    felt = BASE + quality + SATISFACTION * people.satisfaction[bought.who] + mood + noise
    sentiment = (felt >= NEGATIVE_BELOW).astype(np.int64) + (felt >= POSITIVE_FROM)
    assert SENTIMENTS == ("negative", "neutral", "positive")
    rating = np.array([2, 3, 4])[sentiment] - (felt < BAD_BELOW) + (felt >= BEST_FROM)
    return rows(
        REVIEW,
        visit=bought.visit,
        who=bought.who,
        at=at,
        category=bought.category,
        product=bought.product,
        price=np.full(len(at), np.nan),
        rating=np.where(slips, stars, rating),
        sentiment=sentiment,
        mood=mood,
        coupon=np.full(len(at), NONE),
    )
