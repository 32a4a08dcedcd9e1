"""Coupons: a campaign every 30 days, each shopper drawn by chance, so that what a coupon does can be told."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from limner.simulate.catalog import TAGS
from limner.simulate.lives import Lives
from limner.simulate.options import DAY, Options
from limner.simulate.people import People
from limner.simulate.streams import Purpose, stream

EVERY = 30 * DAY
FIRST = 5 * DAY  # the first campaign's begin, after the simulation's
VALID = 14 * DAY
SENT_TO = 0.6  # share of shoppers
DISCOUNTS = (0.1, 0.2, 0.3)
NOTHING = -1


def campaigns(options: Options) -> np.ndarray:
    """The begins of campaigns, µs since 1970."""
    return np.arange(options.start + FIRST, options.end, EVERY)


@cache
def discounts(options: Options) -> np.ndarray:
    """The discount of each campaign's coupon of each tag. Coupon ids are 1 + campaign x tags + tag."""
    rng = stream(options.seed, Purpose.OFFERS, block=-1 & 0xFFFFFFFF)
    return rng.choice(DISCOUNTS, (len(campaigns(options)), len(TAGS)))


@dataclass(frozen=True)
class Offers:
    """`tag` (shoppers, campaigns): of the coupon that was sent; NOTHING where none was."""

    tag: np.ndarray


def offers(options: Options, people: People, lives: Lives, block: int) -> Offers:
    """Send coupons of tags drawn evenly to SENT_TO of those who are there."""
    rng = stream(options.seed, Purpose.OFFERS, block)
    begins = campaigns(options)
    tag = rng.integers(0, len(TAGS), (len(people), len(begins)))
    there = (people.begins[:, None] <= begins) & (begins < lives.ends[:, None])
    return Offers(np.where(there & (rng.random(tag.shape) < SENT_TO), tag, NOTHING))


def held(options: Options, offers: Offers, who: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The campaign and the tag of the coupon that each of `who` holds at `at`; the tag is NOTHING without one."""
    since = at - options.start - FIRST
    campaign = np.clip(since // EVERY, 0, None)
    if offers.tag.shape[1] == 0:
        return campaign, np.full(len(who), NOTHING)
    valid = (since >= 0) & (since % EVERY < VALID)
    return campaign, np.where(valid, offers.tag[who, np.minimum(campaign, offers.tag.shape[1] - 1)], NOTHING)
