"""Households and the categories they have bought, at a midnight, with what their habits were until then."""

from dataclasses import dataclass
from datetime import date, datetime, time

import numpy as np

from limner.benchmarks.proof.journey import Journey
from limner.workers.evaluation.ranking import Ids
from limner.workers.evaluation.weighted import Array

_PAIRS = """
SELECT h, i, epoch($q - max(t)) / 86400 AS recency, epoch($q - min(t)) / 86400 AS since_first, count(*) AS baskets,
    count(*) FILTER (t >= $q - INTERVAL 7 DAY) AS baskets_7d,
    count(*) FILTER (t >= $q - INTERVAL 14 DAY) AS baskets_14d,
    count(*) FILTER (t >= $q - INTERVAL 30 DAY) AS baskets_30d,
    count(*) FILTER (t >= $q - INTERVAL 60 DAY) AS baskets_60d,
    count(*) FILTER (t >= $q - INTERVAL 90 DAY) AS baskets_90d,
    count(*) FILTER (t >= $q - INTERVAL 180 DAY) AS baskets_180d,
    sum(pow(0.5, epoch($q - t) / 86400 / 15)) AS fading_15d, sum(pow(0.5, epoch($q - t) / 86400 / 45)) AS fading_45d,
    sum(pow(0.5, epoch($q - t) / 86400 / 120)) AS fading_120d, sum(n) AS rows, sum(v) AS spend,
    count(DISTINCT date_trunc('month', t)) AS months,
    epoch(max(t) - min(t)) / 86400 / greatest(count(*) - 1, 1) AS gap
FROM bought WHERE t < $q GROUP BY h, i ORDER BY h, i
"""
_HOUSEHOLDS = """
SELECT h, count(*) AS all_baskets,
    count(*) FILTER (t >= $q - INTERVAL 30 DAY) AS all_baskets_30d,
    epoch($q - max(t)) / 86400 AS away, avg(categories) AS categories_a_basket
FROM baskets WHERE t < $q GROUP BY h ORDER BY h
"""


@dataclass(frozen=True)
class Pairs:
    """Each household and category that was ever bought before an instant, with features (pairs, features)."""

    households: Ids
    items: Ids
    features: Array


def pairs_at(journey: Journey, day: date, seed: int) -> Pairs:
    """Features of pairs at a midnight: the pair's habits, the household's, the category's reach, and likeness."""
    instant = {"q": datetime.combine(day, time())}
    found = journey.columns(_PAIRS, instant)
    households, items = found.pop("h").astype(np.int64), found.pop("i").astype(np.int64)
    own = journey.columns(_HOUSEHOLDS, instant)
    place = np.searchsorted(own.pop("h"), households)
    found |= {name: each[place] for name, each in own.items()}
    found["share"] = found["baskets"] / found["all_baskets"]
    found["due"] = found["recency"] / np.maximum(found["gap"], 1)
    size = len(journey.categories)
    for name in ("baskets_30d", "baskets_90d", "baskets"):
        found[f"reach_{name}"] = np.bincount(items, found[name] > 0, minlength=size)[items] / (place.max() + 1)
    found["likeness"] = _likeness(place, items, found["fading_120d"], size, seed)
    return Pairs(households, items, np.stack([np.asarray(each, dtype=np.float64) for each in found.values()], axis=1))


def _likeness(place: Ids, items: Ids, weights: Array, size: int, seed: int) -> Array:
    """What a low-rank approximation of households by categories makes of each pair: what those alike buy."""
    from scipy.sparse import csr_matrix
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    matrix = normalize(csr_matrix((np.log1p(weights), (place, items)), shape=(int(place.max()) + 1, size)))
    factors = TruncatedSVD(24, random_state=seed)
    return np.asarray((factors.fit_transform(matrix)[place] * factors.components_.T[items]).sum(axis=1))
