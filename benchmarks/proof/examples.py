"""Examples of churn and of coupon response: households at a midnight, by what was before it and what came after."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

import numpy as np

from limner.benchmarks.proof.journey import Journey, micros
from limner.workers.evaluation.classes import Places
from limner.workers.evaluation.ranking import Ids
from limner.workers.evaluation.weighted import Array

_HABITS = """
SELECT h, epoch($q - max(t)) / 86400 AS recency, epoch($q - min(t)) / 86400 AS tenure,
    count(*) FILTER (t >= $q - INTERVAL 7 DAY) AS baskets_7d,
    count(*) FILTER (t >= $q - INTERVAL 14 DAY) AS baskets_14d,
    count(*) FILTER (t >= $q - INTERVAL 30 DAY) AS baskets_30d,
    count(*) FILTER (t >= $q - INTERVAL 60 DAY) AS baskets_60d,
    count(*) FILTER (t >= $q - INTERVAL 90 DAY) AS baskets_90d, count(*) AS baskets,
    sum(pow(0.5, epoch($q - t) / 86400 / 30)) AS baskets_fading_30d,
    sum(pow(0.5, epoch($q - t) / 86400 / 90)) AS baskets_fading_90d,
    coalesce(sum(v) FILTER (t >= $q - INTERVAL 30 DAY), 0) AS spend_30d,
    coalesce(sum(v) FILTER (t >= $q - INTERVAL 90 DAY), 0) AS spend_90d,
    coalesce(sum(n) FILTER (t >= $q - INTERVAL 30 DAY), 0) AS rows_30d,
    coalesce(sum(coupon) FILTER (t >= $q - INTERVAL 90 DAY), 0) AS coupons_off_90d,
    coalesce(sum(discount), 0) / greatest(sum(v), 1) AS discount_share, avg(v) AS basket_value,
    coalesce(stddev_samp(v), 0) AS basket_value_spread, avg(categories) AS categories_a_basket,
    count(DISTINCT t::DATE) FILTER (t >= $q - INTERVAL 90 DAY) AS days_90d,
    epoch(max(t) - min(t)) / 86400 / greatest(count(DISTINCT t::DATE) - 1, 1) AS gap
FROM baskets WHERE t < $q GROUP BY h HAVING max(t) >= $q - INTERVAL 90 DAY ORDER BY h
"""
_STAYS = "SELECT DISTINCT h FROM baskets WHERE t >= $q AND t < $q + INTERVAL 30 DAY"

_COUPONS = """
WITH sent AS (
    SELECT household_id AS h, campaign_id, campaign_type, start_date, end_date
    FROM campaigns JOIN campaign_descriptions USING (campaign_id) WHERE start_date <= $q
), open AS (SELECT * FROM sent WHERE end_date >= $q
), redeemed AS (
    SELECT household_id AS h, campaign_id, redemption_date AS t FROM coupon_redemptions WHERE redemption_date < $q
), asked AS (SELECT h, count(*) AS campaigns_open, min(date_diff('day', $q, end_date)) AS days_left,
    count(*) FILTER (campaign_type = 'Type A') AS open_a, count(*) FILTER (campaign_type = 'Type B') AS open_b,
    count(*) FILTER (campaign_type = 'Type C') AS open_c FROM open GROUP BY h
), past AS (SELECT h, count(*) AS redemptions,
    count(*) FILTER (t >= $q - INTERVAL 30 DAY) AS redemptions_30d,
    count(*) FILTER (t >= $q - INTERVAL 90 DAY) AS redemptions_90d, count(DISTINCT t) AS redemption_days,
    sum(pow(0.5, epoch($q - t) / 86400 / 60)) AS redemptions_fading_60d,
    epoch($q - max(t)) / 86400 AS since_redemption FROM redeemed GROUP BY h
), got AS (SELECT h, count(*) AS campaigns FROM sent GROUP BY h
), answered AS (SELECT h, count(DISTINCT campaign_id) AS campaigns_answered FROM redeemed GROUP BY h
), offered AS (SELECT DISTINCT campaign_id, product_id FROM coupons WHERE campaign_id IN (SELECT campaign_id FROM open)
), fits AS (SELECT open.h, count(DISTINCT lines.b) AS baskets_with_offered,
    count(DISTINCT lines.product_id) AS offered_bought
    FROM open JOIN offered USING (campaign_id) JOIN lines ON lines.h = open.h AND lines.product_id = offered.product_id
    WHERE lines.t < $q AND lines.t >= $q - INTERVAL 180 DAY GROUP BY open.h
)
SELECT asked.*, coalesce(redemptions, 0) AS redemptions, coalesce(redemptions_30d, 0) AS redemptions_30d,
    coalesce(redemptions_90d, 0) AS redemptions_90d, coalesce(redemption_days, 0) AS redemption_days,
    coalesce(redemptions_fading_60d, 0) AS redemptions_fading_60d, coalesce(since_redemption, 400) AS since_redemption,
    coalesce(campaigns, 0) AS campaigns, coalesce(campaigns_answered, 0) / greatest(campaigns, 1) AS answered_share,
    coalesce(baskets_with_offered, 0) AS baskets_with_offered, coalesce(offered_bought, 0) AS offered_bought
FROM asked LEFT JOIN past USING (h) LEFT JOIN got USING (h) LEFT JOIN answered USING (h) LEFT JOIN fits USING (h)
ORDER BY h
"""
_REDEEMS = """
SELECT DISTINCT household_id AS h FROM coupon_redemptions
WHERE redemption_date >= $q AND redemption_date < $q + INTERVAL 30 DAY
"""


@dataclass(frozen=True)
class Examples:
    """Households at instants, with features (rows, features) and labels. `instants`: µs."""

    households: Ids
    instants: Ids
    names: tuple[str, ...]
    features: Array
    labels: Places


def of_churn(journey: Journey, day: date) -> Examples:
    """Households active in the last 90 days, and whether they stay away."""
    found = journey.columns(_HABITS, {"q": datetime.combine(day, time())})
    households = found.pop("h").astype(np.int64)
    stay = journey.columns(_STAYS, {"q": datetime.combine(day, time())})["h"]
    return _examples(day, households, found, ~np.isin(households, stay))


def of_coupons(journey: Journey, day: date) -> Examples:
    """Households with a campaign open, and whether they redeem."""
    instant = {"q": datetime.combine(day, time())}
    found = journey.columns(_COUPONS, instant)
    households = found.pop("h").astype(np.int64)
    habits = journey.columns(_HABITS, instant)
    of = {household: place for place, household in enumerate(habits.pop("h"))}
    places = np.array([of.get(each, -1) for each in households])
    for name, values in habits.items():
        found[name] = np.where(places >= 0, np.append(values, np.nan)[places], np.nan)  # away for 90 days: unknown
    redeems = journey.columns(_REDEEMS, instant)["h"]
    return _examples(day, households, found, np.isin(households, redeems))


def together(parts: Sequence[Examples]) -> Examples:
    """The examples of several instants, one after the other."""
    return Examples(
        np.concatenate([each.households for each in parts]),
        np.concatenate([each.instants for each in parts]),
        parts[0].names,
        np.concatenate([each.features for each in parts]),
        np.concatenate([each.labels for each in parts]),
    )


def _examples(day: date, households: Ids, found: dict[str, Any], labels: Any) -> Examples:
    features = np.stack([np.asarray(each, dtype=np.float64) for each in found.values()], axis=1)
    instants = np.full(len(households), micros(day), dtype=np.int64)
    return Examples(households, instants, tuple(found), features, labels.astype(np.intp))
