"""What a block leaves for the shop to see: events, shoppers, offers, as Arrow tables."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from limner.simulate.arrivals import arrivals
from limner.simulate.behaviour import Block, session_numbers
from limner.simulate.catalog import CATEGORIES, TAGS
from limner.simulate.offers import NOTHING, campaigns
from limner.simulate.options import Options
from limner.simulate.queries import queries
from limner.simulate.review_texts import review_texts
from limner.simulate.rows import KINDS, NONE, REVIEW, SEARCH
from limner.simulate.segments import AGE_BANDS
from limner.simulate.streams import Purpose, stream
from limner.simulate.words import LANGUAGES

INSTANT = pa.timestamp("us", tz="UTC")


def instants(values: np.ndarray, mask: np.ndarray | None = None) -> pa.Array:
    """µs since 1970 as timestamps; null where `mask`."""
    return pa.array(values, pa.int64(), mask=mask).cast(INSTANT)


def named(codes: np.ndarray, names: Sequence[str], mask: np.ndarray | None = None) -> pa.Array:
    """Names of codes as a dictionary array; null where `mask`."""
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32), mask=mask), pa.array(names))


def event_ids(block: Block) -> np.ndarray:
    """The ids of the block's rows: all events of a simulation are numbered from 1, block by block, in order of time."""
    return block.first_event + np.arange(len(block.rows))


def events(options: Options, block: Block) -> pa.Table:
    """The event log as it was written, second copies of some rows included, in no order."""
    rows, people = block.rows, block.people
    sessions = session_numbers(block)
    places, created = arrivals(options, block.number, rows.at)
    table = pa.table(
        {
            "event_id": event_ids(block),
            "shopper_id": people.first + rows.who,
            "event_timestamp": instants(rows.at),
            "kind": named(rows.kind, KINDS),
            "session_id": pa.array(block.first_event + sessions, mask=sessions < 0),
            "product_id": pa.array(rows.product + 1, mask=rows.product == NONE),
            "category": named(rows.category, CATEGORIES, mask=(rows.category == NONE) | (rows.kind == SEARCH)),
            "price": pa.array(rows.price, mask=np.isnan(rows.price)),
            "quantity": pa.array(rows.quantity, mask=rows.quantity == NONE),
            "amount": pa.array(rows.amount, mask=np.isnan(rows.amount)),
            "coupon_id": pa.array(rows.coupon, mask=rows.coupon == NONE),
            "query": _queries(options, block),
            "review": _reviews(options, block),
            "rating": pa.array(rows.rating, mask=rows.rating == NONE),
        }
    ).take(pa.array(places))
    return table.add_column(3, "created_timestamp", instants(created))


def shoppers(block: Block) -> pa.Table:
    """What shoppers told about themselves when they joined."""
    people = block.people
    return pa.table(
        {
            "shopper_id": people.first + np.arange(len(people)),
            "since": instants(people.since),
            "age_band": named(people.age, AGE_BANDS),
            "city_tier": people.city + 1,
            "language": named(people.language, LANGUAGES),
        }
    )


def offers(options: Options, block: Block) -> pa.Table:
    """Coupons sent: what somebody did not redeem is known, too."""
    who, campaign = np.nonzero(block.offers.tag != NOTHING)
    return pa.table(
        {
            "coupon_id": 1 + campaign * len(TAGS) + block.offers.tag[who, campaign],
            "shopper_id": block.people.first + who,
            "sent_at": instants(campaigns(options)[campaign]),
        }
    )


def _queries(options: Options, block: Block) -> pa.Array:
    rows, people = block.rows, block.people
    places = np.flatnonzero(rows.kind == SEARCH)
    who = rows.who[places]
    rng = stream(options.seed, Purpose.QUERIES, block.number)
    texts = queries(rng, people.language[who], rows.intent[places], rows.category[places], people.sensitivity[who])
    return _at(places, texts, len(rows))


def _reviews(options: Options, block: Block) -> pa.Array:
    rows = block.rows
    places = np.flatnonzero(rows.kind == REVIEW)
    rng = stream(options.seed, Purpose.REVIEW_TEXTS, block.number)
    language = block.people.language[rows.who[places]]
    return _at(places, review_texts(rng, language, rows.sentiment[places], rows.category[places]), len(rows))


def _at(places: np.ndarray, texts: pa.Array, count: int) -> pa.Array:
    """Texts at their places of `count` rows, nulls elsewhere."""
    which = np.zeros(count, dtype=np.int64)
    which[places] = np.arange(len(places))
    there = np.zeros(count, dtype=bool)
    there[places] = True
    return texts.take(pa.array(which, mask=~there))
