"""The hidden truth, as Arrow tables: what learned features are held against, and no spec may read."""

import numpy as np
import pyarrow as pa

from limner.simulate.behaviour import Block
from limner.simulate.catalog import CATEGORIES, IN_CATEGORY, PRODUCTS, TAGS, catalog, tag_of
from limner.simulate.lives import LIFE_EVENTS, MONTH, NEVER
from limner.simulate.options import Options
from limner.simulate.rows import REVIEW, SEARCH
from limner.simulate.segments import SEGMENTS, TIERS
from limner.simulate.tables import event_ids, instants, named
from limner.simulate.visits import INTENTS
from limner.simulate.words import SENTIMENTS


def truths(options: Options, block: Block) -> dict[str, pa.Table]:
    """Every table of the truth, by name."""
    return {
        "shoppers": _shoppers(block),
        "life_events": _life_events(block),
        "moods": _moods(options, block),
        "reviews": _reviews(block),
        "searches": _searches(block),
    }


def products(options: Options) -> pa.Table:
    """The tag and the quality of each product."""
    tags = tag_of(np.arange(PRODUCTS) // IN_CATEGORY)
    return pa.table(
        {
            "product_id": np.arange(PRODUCTS) + 1,
            "tag": named(tags, TAGS),
            "quality": catalog(options.seed).quality,
        }
    )


def _shoppers(block: Block) -> pa.Table:
    people, lives = block.people, block.lives
    return pa.table(
        {
            "shopper_id": people.first + np.arange(len(people)),
            "segment": named(people.segment, [segment.name for segment in SEGMENTS]),
            "value_tier": named(people.tier, TIERS),
            "price_sensitivity": people.sensitivity,
            "coupon_affinity": people.affinity,
            "satisfaction": people.satisfaction,
            "writing": people.writing,
            "visits": people.visits,
            "active_from": instants(people.begins),
            "left_at": instants(lives.leaves, mask=lives.leaves == NEVER),
            **{f"interest_{tag}": people.interests[:, place] for place, tag in enumerate(TAGS)},
        }
    )


def _life_events(block: Block) -> pa.Table:
    who, kind = np.nonzero(block.lives.events != NEVER)
    return pa.table(
        {
            "shopper_id": block.people.first + who,
            "event_timestamp": instants(block.lives.events[who, kind]),
            "kind": named(kind, list(LIFE_EVENTS)),
        }
    )


def _moods(options: Options, block: Block) -> pa.Table:
    """Moods of whole months, each from its `event_timestamp` on; of those who have not joined or have left, too."""
    who, month = np.divmod(np.arange(block.lives.moods.size), block.lives.moods.shape[1])
    return pa.table(
        {
            "shopper_id": block.people.first + who,
            "event_timestamp": instants(options.start + month * MONTH),
            "mood": block.lives.moods.reshape(-1),
        }
    )


def _reviews(block: Block) -> pa.Table:
    places = np.flatnonzero(block.rows.kind == REVIEW)
    rows = block.rows.take(places)
    return pa.table(
        {
            "event_id": event_ids(block)[places],
            "shopper_id": block.people.first + rows.who,
            "event_timestamp": instants(rows.at),
            "sentiment": named(rows.sentiment, SENTIMENTS),
            "mood": rows.mood,
        }
    )


def _searches(block: Block) -> pa.Table:
    places = np.flatnonzero(block.rows.kind == SEARCH)
    rows = block.rows.take(places)
    return pa.table(
        {
            "event_id": event_ids(block)[places],
            "shopper_id": block.people.first + rows.who,
            "event_timestamp": instants(rows.at),
            "intent": named(rows.intent, INTENTS),
            "category": named(rows.category, CATEGORIES),
        }
    )
