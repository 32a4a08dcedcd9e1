"""Visits: when a shopper comes, with which intent, and to which category first."""

from dataclasses import dataclass

import numpy as np

from limner.simulate.catalog import IN_TAG, POPULARITY, TAGS
from limner.simulate.lives import NEVER, Lives, interests_at
from limner.simulate.offers import NOTHING, Offers, held
from limner.simulate.options import DAY, Options
from limner.simulate.people import People
from limner.simulate.segments import RHYTHMS
from limner.simulate.streams import choose

HOUR = DAY // 24
WEEKDAYS = np.array([0.8, 0.75, 0.75, 0.8, 0.9, 1.0, 0.95])  # chance that a visit takes place, from Monday
FADING = 30  # days before leaving over which visits fade ...
FADED = 0.3  # ... to this part of what they were
INTENTS = ("gift", "compare", "buy", "browse")
INTENT_WEIGHTS = np.array([0.08, 0.22, 0.30, 0.40])
DRAWN_BY_COUPON = 0.35  # times affinity: chance that a visit is for what the coupon is for


@dataclass(frozen=True)
class Visits:
    """Arrays by visit: shopper (place in the block), begin (µs since 1970), intent, first category, coupon."""

    who: np.ndarray
    at: np.ndarray
    intent: np.ndarray
    category: np.ndarray
    campaign: np.ndarray
    coupon: np.ndarray  # its tag, or NOTHING

    def __len__(self) -> int:
        return len(self.who)


def visits(
    options: Options, people: People, lives: Lives, offers: Offers, rng: np.random.Generator, count: int
) -> Visits:
    """Draw `count` visits; those that the weekday or a fading interest in the shop prevents are left out."""
    days = (lives.ends - people.begins) // DAY
    sums = np.cumsum(people.visits * days)
    who = np.minimum(np.searchsorted(sums, rng.random(count) * sums[-1], side="right"), len(people) - 1)
    at = people.begins[who] + (rng.random(count) * days[who]).astype(np.int64) * DAY
    takes_place = rng.random(count) < _chance(lives, who, at)
    who, at = who[takes_place], at[takes_place]
    at = at + choose(rng, np.array(list(RHYTHMS.values()))[people.rhythm[who]]) * HOUR
    at = at + (rng.random(len(at)) * HOUR).astype(np.int64)
    intents = np.tile(INTENT_WEIGHTS, (len(who), 1))
    intents[:, INTENTS.index("compare")] *= 0.5 + people.sensitivity[who]
    intent = choose(rng, intents)
    campaign, coupon = held(options, offers, who, at)
    tag = _first_tag(people, lives, who, at, intent, coupon, rng)
    return Visits(who, at, intent, category_in(tag, rng), campaign, coupon)


def category_in(tag: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A category of each tag, the popular ones more often."""
    return tag * IN_TAG + np.searchsorted(np.cumsum(POPULARITY)[:-1], rng.random(len(tag)), side="right")


def _chance(lives: Lives, who: np.ndarray, at: np.ndarray) -> np.ndarray:
    weekday = (at // DAY + 3) % 7  # 1970-01-01 was a Thursday
    leaves = lives.leaves[who]
    left = np.where(leaves == NEVER, FADING, (leaves - at) / DAY)
    return np.asarray(WEEKDAYS[weekday] * np.clip(FADED + (1 - FADED) * left / FADING, 0, 1))


def _first_tag(
    people: People,
    lives: Lives,
    who: np.ndarray,
    at: np.ndarray,
    intent: np.ndarray,
    coupon: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """By interest; any tag for a gift; sometimes the coupon's."""
    tag = choose(rng, interests_at(people, lives, who, at))
    tag = np.where(intent == INTENTS.index("gift"), rng.integers(0, len(TAGS), len(who)), tag)
    drawn = (coupon != NOTHING) & (rng.random(len(who)) < DRAWN_BY_COUPON * people.affinity[who])
    return np.where(drawn, coupon, tag)
