"""Who the shoppers are: what is drawn once for each of them."""

from dataclasses import dataclass

import numpy as np

from limner.simulate.catalog import TAGS
from limner.simulate.options import DAY, Options
from limner.simulate.segments import RHYTHMS, SEGMENTS
from limner.simulate.streams import BLOCK, Purpose, choose, stream

OTHER_TAGS = 0.15  # Dirichlet weight of a tag that a segment does not name
NEWCOMERS = 0.3  # share of shoppers who join while the simulation runs
CITY_BY_TIER = np.array([[8, 17, 35, 40], [20, 30, 30, 20], [45, 30, 15, 10]])  # city tiers 1 to 4 by value tier


@dataclass(frozen=True)
class People:
    """Arrays by shopper of a block.

    Codes are places in SEGMENTS, LANGUAGES, AGE_BANDS, TIERS; instants are µs since 1970.
    """

    first: int  # the first one's id; ids count on from it
    segment: np.ndarray
    language: np.ndarray
    age: np.ndarray
    tier: np.ndarray
    city: np.ndarray  # 0 to 3
    interests: np.ndarray  # (shoppers, tags), rows sum to 1
    sensitivity: np.ndarray  # to prices, 0 to 1
    affinity: np.ndarray  # to coupons, 0 to 1
    satisfaction: np.ndarray  # N(0, 1): how easily pleased
    writing: np.ndarray  # chance that a bought item is reviewed
    visits: np.ndarray  # rate of visits, in relation to other shoppers
    rhythm: np.ndarray
    since: np.ndarray
    begins: np.ndarray  # midnight from which they may visit
    leaving: np.ndarray  # hazard a year, before satisfaction

    def __len__(self) -> int:
        return len(self.segment)


def people(options: Options, block: int) -> People:
    """Draw the shoppers of a block."""
    rng = stream(options.seed, Purpose.PEOPLE, block)
    count = min(BLOCK, options.shoppers - block * BLOCK)
    segment = choose(rng, np.tile([s.share for s in SEGMENTS], (count, 1)))
    tier = choose(rng, np.array([s.tiers for s in SEGMENTS])[segment])
    weights = np.array([[s.strong.get(tag, OTHER_TAGS) for tag in TAGS] for s in SEGMENTS])
    gammas = rng.standard_gamma(weights[segment]) + 1e-12
    old = rng.random(count) >= NEWCOMERS
    begins = options.start + np.where(old, 0, (rng.random(count) * options.days * 0.9).astype(np.int64) * DAY)
    before = (rng.random(count) * 3 * 365 * 86_400).astype(np.int64) * 1_000_000
    rhythms = list(RHYTHMS)
    return People(
        first=block * BLOCK + 1,
        segment=segment,
        language=_languages(options, rng, count),
        age=choose(rng, np.array([s.ages for s in SEGMENTS])[segment]),
        tier=tier,
        city=choose(rng, CITY_BY_TIER[tier]),
        interests=gammas / gammas.sum(axis=1, keepdims=True),
        sensitivity=_beta(rng, segment, "sensitivity"),
        affinity=_beta(rng, segment, "affinity"),
        satisfaction=rng.normal(0, 1, count),
        writing=rng.beta(2, 4, count),
        visits=np.array([s.visits for s in SEGMENTS])[segment] * np.exp(rng.normal(0, 0.6, count)),
        rhythm=np.array([rhythms.index(s.rhythm) for s in SEGMENTS])[segment],
        since=np.where(old, options.start - before, begins),
        begins=begins,
        leaving=np.array([s.leaving for s in SEGMENTS])[segment],
    )


def _languages(options: Options, rng: np.random.Generator, count: int) -> np.ndarray:
    drawn = rng.integers(0, 2, count)
    return drawn if options.language == "both" else np.full(count, int(options.language == "zh"))


def _beta(rng: np.random.Generator, segment: np.ndarray, name: str) -> np.ndarray:
    a, b = np.array([getattr(s, name) for s in SEGMENTS], dtype=np.float64)[segment].T
    return np.asarray(rng.beta(a, b))
