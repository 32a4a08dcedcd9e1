"""A block of shoppers: who they are and exactly as many events as are asked of them."""

from dataclasses import dataclass, replace

import numpy as np

from limner.simulate.lives import Lives, lives
from limner.simulate.offers import Offers, offers
from limner.simulate.options import Options
from limner.simulate.people import People, people
from limner.simulate.reviews import reviews
from limner.simulate.rows import REVIEW, Rows, together
from limner.simulate.shopping import shopping
from limner.simulate.streams import BLOCK, Purpose, stream
from limner.simulate.visits import visits

EVENTS_A_VISIT = 4.1  # about; decides only how many visits are drawn at a time


@dataclass(frozen=True)
class Block:
    """`rows` are sorted by time; their ids count on from `first_event`. Places in them are places in `people`."""

    number: int
    people: People
    lives: Lives
    offers: Offers
    first_event: int
    rows: Rows


def blocks(options: Options) -> int:
    """How many there are."""
    return -(-options.shoppers // BLOCK)


def behave(options: Options, number: int) -> Block:
    """Draw a block. Its share of the events is that of its shoppers.

    Visits are drawn until their events fill the share; the last one is cut short.
    """
    who = people(options, number)
    lived = lives(options, who, number)
    sent = offers(options, who, lived, number)
    before, after = (options.events * (number * BLOCK + more) // options.shoppers for more in (0, len(who)))
    visit_numbers, review_numbers = (
        stream(options.seed, purpose, number) for purpose in (Purpose.VISITS, Purpose.REVIEWS)
    )
    parts: list[Rows] = []
    missing, drawn = after - before, 0
    while missing:
        some = visits(options, who, lived, sent, visit_numbers, round(missing / EVENTS_A_VISIT) + 8)
        shopped = shopping(options, who, lived, some, visit_numbers)
        written = reviews(options, who, lived, shopped, review_numbers)
        events = together([shopped, written])
        events = events.take(events.at < lived.ends[events.who])
        events = events.take(np.lexsort((events.product, events.kind, events.at, events.visit))[:missing])
        parts.append(replace(events, visit=events.visit + drawn))
        missing -= len(events)
        drawn += len(some)
    events = together(parts) if parts else _nothing(options, who, lived, sent, visit_numbers)
    events = events.take(np.lexsort((events.product, events.kind, events.visit, events.at)))
    return Block(number, who, lived, sent, before + 1, events)


def _nothing(options: Options, who: People, lived: Lives, sent: Offers, rng: np.random.Generator) -> Rows:
    """No rows, of the right types: fewer events than shoppers leave some blocks without any."""
    return shopping(options, who, lived, visits(options, who, lived, sent, rng, 8), rng).take(np.arange(0))


def session_numbers(block: Block) -> np.ndarray:
    """Numbers of the rows' visits without gaps, from 0; a review is made in no visit: -1."""
    shopped = block.rows.kind != REVIEW
    numbers = np.full(len(block.rows), -1, dtype=np.int64)
    numbers[shopped] = np.unique(block.rows.visit[shopped], return_inverse=True)[1]
    return numbers
