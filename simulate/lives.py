"""What happens to shoppers: life events, moods, and leaving for good."""

from dataclasses import dataclass

import numpy as np

from limner.simulate.catalog import TAGS
from limner.simulate.options import DAY, Options
from limner.simulate.people import People
from limner.simulate.streams import Purpose, stream

NEVER = np.iinfo(np.int64).max

# By kind: its hazard a year, and where interest goes from then on.
LIFE_EVENTS: dict[str, tuple[float, dict[str, float]]] = {
    "moved": (0.10, {"home": 0.8, "electronics": 0.2}),
    "baby_born": (0.06, {"baby": 0.8, "healthy_food": 0.2}),
    "new_pet": (0.07, {"pets": 1.0}),
}
BABY_BY_AGE = np.array([0.7, 2.0, 1.0, 0.1, 0.0, 0.0])  # times the hazard
SHIFT = 1.0  # what an event adds to interests of sum 1, before they are made to sum to 1 again
MONTH = 30 * DAY  # a mood's length
MOOD = 0.6  # standard deviation of moods
MOOD_STAYS = 0.7  # correlation of a month's mood with the next one's
LOYAL_DAYS = 14  # nobody leaves before

_TARGETS = np.array([[target.get(tag, 0.0) for tag in TAGS] for _, target in LIFE_EVENTS.values()])


@dataclass(frozen=True)
class Lives:
    """`events` (shoppers, kinds), `leaves` (midnights), `ends`: µs since 1970; NEVER where nothing happens.

    `moods` (shoppers, months of 30 days from the start) are normal around 0. Nobody acts at or after `ends`: the
    earlier of `leaves` and the simulation's end.
    """

    events: np.ndarray
    moods: np.ndarray
    leaves: np.ndarray
    ends: np.ndarray


def lives(options: Options, people: People, block: int) -> Lives:
    """Draw lives: hazards are constant in time; who is harder to please leaves sooner, by e^(-0.8 satisfaction)."""
    rng = stream(options.seed, Purpose.LIVES, block)
    count = len(people)
    days = rng.exponential(size=count) * 365 / (people.leaving * np.exp(-0.8 * people.satisfaction))
    leaves = people.begins + np.maximum(np.minimum(days, 1e6).astype(np.int64), LOYAL_DAYS) * DAY
    leaves = np.where(leaves < options.end, leaves, NEVER)
    ends = np.minimum(leaves, options.end)
    hazards = np.tile([hazard for hazard, _ in LIFE_EVENTS.values()], (count, 1))
    hazards[:, list(LIFE_EVENTS).index("baby_born")] *= BABY_BY_AGE[people.age]
    waits = rng.exponential(size=hazards.shape) * 365 / np.maximum(hazards, 1e-9)
    events = people.begins[:, None] + (np.minimum(waits, 1e6) * 86_400).astype(np.int64) * 1_000_000
    return Lives(np.where(events < ends[:, None], events, NEVER), _moods(options, rng, count), leaves, ends)


def interests_at(people: People, lives: Lives, who: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Interests (rows, tags) of shoppers `who` at instants `at`, rows summing to 1: shifted by their lives."""
    happened = (lives.events[who] <= at[:, None]).astype(np.float64)
    weights = people.interests[who] + SHIFT * happened @ _TARGETS
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def mood_at(options: Options, lives: Lives, who: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Moods of shoppers `who` at instants `at`."""
    return np.asarray(lives.moods[who, (at - options.start) // MONTH])


def _moods(options: Options, rng: np.random.Generator, count: int) -> np.ndarray:
    months = -(-options.days * DAY // MONTH)
    moods = rng.normal(0, MOOD, (count, months))
    for month in range(1, months):
        moods[:, month] = MOOD_STAYS * moods[:, month - 1] + np.sqrt(1 - MOOD_STAYS**2) * moods[:, month]
    return moods
