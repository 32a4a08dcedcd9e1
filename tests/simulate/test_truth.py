"""Behaviour follows from the hidden truth, so it can be recovered. Margins are wide, seeds fixed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from limner.simulate.catalog import TAGS
from limner.simulate.lives import LIFE_EVENTS
from limner.simulate.segments import SEGMENTS

Table = Callable[[str], pd.DataFrame]


@pytest.fixture(scope="module")
def looks(table: Table) -> pd.DataFrame:
    """What was looked at, with the product's hidden tag and quality."""
    events = table("events")
    return events[events.kind == "browse"].merge(table("truth/products"), on="product_id")


def test_no_spec_reads_the_truth(shop: Path) -> None:
    """Or features would be given what they are to find."""
    lines = [line for path in (shop / "specs").glob("*.yaml") for line in path.read_text().splitlines()]
    assert not [line for line in lines if "truth/" in line and not line.lstrip().startswith("#")]


def test_shoppers_look_at_what_interests_them(looks: pd.DataFrame, table: Table) -> None:
    """Interest weights rank as shares of looks do, for who had no life event and looked often."""
    shares = looks.pivot_table(index="shopper_id", columns="tag", values="event_id", aggfunc="count", fill_value=0)
    busy = shares[shares.sum(axis=1) >= 60].index.difference(table("truth/life_events").shopper_id)
    interests = table("truth/shoppers").set_index("shopper_id")[[f"interest_{tag}" for tag in TAGS]]
    np.testing.assert_allclose(interests.sum(axis=1), 1)
    ranks = [spearmanr(shares.loc[who, list(TAGS)], interests.loc[who]).statistic for who in busy]
    assert len(ranks) > 400
    assert np.mean(ranks) > 0.6
    assert np.quantile(ranks, 0.05) > 0.2


def test_segments_have_their_tags(table: Table) -> None:
    """The tag that a segment cares for most leads among its members."""
    shoppers = table("truth/shoppers")
    for segment in SEGMENTS:
        means = shoppers[shoppers.segment == segment.name][[f"interest_{tag}" for tag in TAGS]].mean()
        assert means.idxmax() == f"interest_{max(segment.strong, key=segment.strong.__getitem__)}"


def test_nobody_acts_before_she_joins_or_after_she_left(table: Table) -> None:
    """Leaving is for good, and before it visits become rare."""
    acts = table("events").merge(table("truth/shoppers"), on="shopper_id")
    assert (acts.event_timestamp >= acts.active_from).all()
    gone = acts[acts.left_at.notna()]
    assert gone.shopper_id.nunique() > 300
    assert (gone.event_timestamp < gone.left_at).all()
    before = (gone.left_at - gone.event_timestamp).dt.days
    there = gone.left_at - gone.active_from >= pd.Timedelta("60d")
    assert (there & (before < 15)).sum() < 0.75 * (there & (before >= 30) & (before < 45)).sum()


def test_who_is_hard_to_please_leaves_sooner(table: Table) -> None:
    """Churn can be foreseen from stars."""
    shoppers = table("truth/shoppers")
    left = shoppers.left_at.notna()
    assert left[shoppers.satisfaction < -0.5].mean() > 1.5 * left[shoppers.satisfaction > 0.5].mean()


@pytest.mark.parametrize("kind", LIFE_EVENTS)
def test_life_events_shift_interests_from_then_on(kind: str, looks: pd.DataFrame, table: Table) -> None:
    """A new pet makes itself known by what is looked at."""
    lives = table("truth/life_events")
    target = LIFE_EVENTS[kind][1]
    tag = max(target, key=target.__getitem__)
    met = looks.merge(lives[lives.kind == kind], on="shopper_id", suffixes=("", "_life"))
    after = met.event_timestamp >= met.event_timestamp_life
    assert after.sum() > 500
    assert (met[after].tag == tag).mean() > 1.8 * (met[~after].tag == tag).mean()


def test_stars_agree_with_the_sentiment_but_for_a_few_slips(table: Table) -> None:
    """Two stars and fewer are negative, four and more positive; slips of 2 % are declared."""
    reviews = table("events").merge(table("truth/reviews")[["event_id", "sentiment", "mood"]], on="event_id")
    assert len(reviews) == (table("events").kind == "review").sum()
    sign = np.sign(reviews.rating - 3).map({-1: "negative", 0: "neutral", 1: "positive"})
    agree = (sign == reviews.sentiment).mean()
    assert 0.96 < agree < 0.998
    assert reviews.sentiment.value_counts(normalize=True).min() > 0.1


def test_good_products_and_good_moods_make_good_reviews(table: Table) -> None:
    """Sentiment comes from the product, the shopper and her month."""
    reviews = table("events").merge(table("truth/reviews")[["event_id", "sentiment", "mood"]], on="event_id")
    reviews = reviews.merge(table("truth/products"), on="product_id")
    good = reviews.sentiment == "positive"
    for cause in ("quality", "mood"):
        assert good[reviews[cause] > 0.3].mean() > good[reviews[cause] < -0.3].mean() + 0.25


def test_who_minds_prices_buys_cheap(table: Table) -> None:
    """And says so in searches."""
    events, shoppers = table("events"), table("truth/shoppers")
    buys = events[events.kind == "buy"]
    place = (buys.product_id - 1) % 50 / 50  # products of a category are numbered by price
    mean = place.groupby(buys.shopper_id).mean()
    known = shoppers.set_index("shopper_id").loc[mean.index]
    assert spearmanr(mean, known.price_sensitivity).statistic < -0.2
    assert spearmanr(mean, known.value_tier.map({"low": 0, "middle": 1, "high": 2})).statistic > 0.15
    searches = events[events.kind == "search"].merge(shoppers, on="shopper_id")
    cheap = searches["query"].str.contains("cheap|discount|on sale|便宜|特价|打折")
    assert cheap[searches.price_sensitivity > 0.6].mean() > 2 * cheap[searches.price_sensitivity < 0.3].mean()


def test_a_coupon_sells_most_to_who_likes_coupons(table: Table) -> None:
    """Coupons are sent by chance, so their effect can be told from comparison."""
    events, shoppers = table("events"), table("truth/shoppers")
    coupons = table("coupons").assign(tag=lambda rows: [TAGS[(number - 1) % len(TAGS)] for number in rows.coupon_id])
    sent = table("offers").merge(coupons, on="coupon_id").merge(shoppers, on="shopper_id")
    bought = events[events.kind == "buy"].merge(table("truth/products"), on="product_id")
    met = sent.merge(bought, on=["shopper_id", "tag"], suffixes=("", "_bought"))
    met = met[met.event_timestamp.between(met.valid_from, met.valid_until)]
    rate = met.coupon_id.groupby(met.coupon_affinity > 0.6).count() / sent.groupby(sent.coupon_affinity > 0.6).size()
    assert rate[True] > 1.5 * rate[False]


def test_searches_have_their_intent_and_category(table: Table) -> None:
    """Every search is in the truth, and its words give its intent away more often than not."""
    searches = table("events").merge(table("truth/searches")[["event_id", "intent"]], on="event_id")
    assert len(searches) == (table("events").kind == "search").sum()
    gift = searches["query"].str.contains("gift|present|送|礼")
    assert gift[searches.intent == "gift"].mean() > 0.95
    assert gift[searches.intent != "gift"].mean() < 0.05


def test_days_and_hours_differ(looks: pd.DataFrame) -> None:
    """Evenings and weekends are busy, nights quiet."""
    hours, weekdays = looks.event_timestamp.dt.hour.value_counts(), looks.event_timestamp.dt.weekday.value_counts()
    assert hours[20] > 5 * hours[4]
    assert weekdays[5] > 1.15 * weekdays[1]
