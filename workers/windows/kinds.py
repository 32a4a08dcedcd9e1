"""Which function computes which feature kind."""

from collections.abc import Callable, Sequence

from limner.language import features as f
from limner.workers.windows import (
    categories,
    gaps,
    histograms,
    maps,
    picks,
    quantiles,
    sequences,
    streaks,
    totals,
    trends,
)
from limner.workers.windows import column as c
from limner.workers.windows.rows import Bools, Rows

# Each takes the feature and its rows in each of the windows it looks at (`FeatureBase.looks`), all of which count.
_KINDS: dict[type[f.FeatureBase], Callable[..., c.Output]] = {
    f.Count: totals.count,
    f.Distinct: totals.distinct,
    f.Sum: totals.total_of,
    f.Mean: totals.mean,
    f.Std: totals.deviation,
    f.Min: picks.extreme,
    f.Max: picks.extreme,
    f.First: picks.edge,
    f.Last: picks.edge,
    f.Latest: picks.latest,
    f.Top: categories.top,
    f.Mode: categories.mode,
    f.Entropy: categories.entropy,
    f.Median: quantiles.quantile,
    f.Quantile: quantiles.quantile,
    f.Trend: trends.trend,
    f.Histogram: histograms.histogram,
    f.Sequence: sequences.sequence,
    f.Gap: gaps.gap,
    f.Streak: streaks.streak,
}

# Those that need no rows, but how many they are and what they add up to.
_FLOWING = (totals.count, totals.total_of, totals.mean)

_POOLS: dict[str, type[f.Mean | f.Sum | f.Max | f.Min | f.Std]] = {
    "mean": f.Mean,
    "sum": f.Sum,
    "max": f.Max,
    "min": f.Min,
    "std": f.Std,
}


def pooled(feature: f.TextStatistic, column: str) -> f.FeatureBase:
    """The kind that pools a statistic of texts over the column of its measures; its condition is applied before."""
    return _POOLS[feature.pool].model_validate({feature.pool: column, "default": feature.default})


def evaluate(feature: f.FeatureBase, looks: Sequence[Rows], selected: Bools | None) -> c.Output:
    """Values of one feature (any kind but `embed`) at every place.

    `looks` are the rows in each window it looks at; `selected` (shape [rows of the table]) where its condition holds.
    """
    if isinstance(feature, f.Share):
        assert selected is not None
        if looks[0].flowing is not None:
            return totals.share(feature, looks[0].flowing, selected)
        return totals.share(feature, looks[0], selected[looks[0].index])
    distinct = isinstance(feature, f.Count) and feature.distinct
    kind: Callable[..., c.Output] = totals.distinct if distinct else _KINDS[type(feature)]
    by = isinstance(feature, f.Categorized) and feature.by is not None
    flowing = looks[0].flowing
    if kind in _FLOWING and flowing is not None and not by:
        return kind(feature, flowing if selected is None else flowing.where(selected))
    if selected is not None:
        looks = [rows.where(selected[rows.index]) for rows in looks]
    if isinstance(feature, f.Categorized) and feature.by is not None:
        return maps.by_category(kind, feature, looks[0])
    return kind(feature, *looks)
