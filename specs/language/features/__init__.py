"""The feature kinds of the language. Each kind is a model whose first key names it: `{sum: sales_value, over: 7d}`.

A kind is a class in a file of this package, a place in KINDS, and a function in `limner.workers.windows.kinds`.
"""

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Discriminator, Tag

from limner.language.derived_base import Derived as Derived
from limner.language.feature_base import Fault, FeatureBase, OfNumbers, Read, Windowed
from limner.language.features.aggregates import Count, Distinct, Mean, Share, Std, Sum
from limner.language.features.asking import Asking, Pin
from limner.language.features.behaviour import Encode, NextItems, OfSequence
from limner.language.features.categories import Entropy, Mode
from limner.language.features.categorized import Categorized
from limner.language.features.derived import Bucket, Calculated, Hash, Log1p, MinMax, OneHot, Ratio, ZScore
from limner.language.features.embed import Embed, MeanPool, Pool
from limner.language.features.fusion import Vector
from limner.language.features.habits import Gap, Sequence, Streak, StreakUnit
from limner.language.features.membership import Segment
from limner.language.features.picks import First, Last, Latest, Max, Min, Top
from limner.language.features.predictions import Predict
from limner.language.features.quantiles import Median, Quantile
from limner.language.features.rhythms import Histogram, Rfm
from limner.language.features.scored import SCORED_BY, Classify, InterestWeights, Scored
from limner.language.features.text import TextStatistic, encoders_of
from limner.language.features.trends import Trend

# A mapping is of the first kind whose key it has: `{count: x, distinct: true}` is a count. So a kind with a key that is
# the name of another kind (histogram: share) comes before it.
KINDS: tuple[type[FeatureBase], ...] = (
    Count,
    Sum,
    Mean,
    Min,
    Max,
    Std,
    Median,
    Quantile,
    Trend,
    Sequence,  # before Distinct: it may have a key of that name
    Distinct,
    First,
    Last,
    Latest,
    Top,
    Mode,
    Entropy,
    Histogram,
    Share,
    Rfm,
    Gap,
    Streak,
    Embed,
    TextStatistic,
    Calculated,
    Ratio,
    Bucket,
    OneHot,
    ZScore,
    MinMax,
    Log1p,
    Hash,
    Vector,
    Predict,
    Classify,
    InterestWeights,
    Encode,
    NextItems,
    Segment,
)
ASKING = tuple(kind for kind in KINDS if issubclass(kind, Asking))
"""The kinds whose values models give."""
KIND_NAMES: tuple[str, ...] = tuple(kind.kind for kind in KINDS)


def _kind_of(value: Any) -> str | None:
    """The kind a mapping names, as a tag."""
    if isinstance(value, FeatureBase):
        return f"<{value.kind}>"
    return next((f"<{kind}>" for kind in KIND_NAMES if isinstance(value, dict) and kind in value), None)


if TYPE_CHECKING:
    Feature = FeatureBase
else:
    # Tags stand in angle brackets so that the place of an error tells a tag from the key of the same name.
    _TAGGED = tuple(Annotated[kind, Tag(f"<{kind.kind}>")] for kind in KINDS)
    Feature = Annotated[Union[_TAGGED], Discriminator(_kind_of)]  # noqa: UP007 - made of a tuple

__all__ = [
    "ASKING",
    "KINDS",
    "KIND_NAMES",
    "SCORED_BY",
    "Asking",
    "Bucket",
    "Calculated",
    "Categorized",
    "Classify",
    "Count",
    "Derived",
    "Distinct",
    "Embed",
    "Encode",
    "Entropy",
    "Fault",
    "Feature",
    "FeatureBase",
    "First",
    "Gap",
    "Hash",
    "Histogram",
    "InterestWeights",
    "Last",
    "Latest",
    "Log1p",
    "Max",
    "Mean",
    "MeanPool",
    "Median",
    "Min",
    "MinMax",
    "Mode",
    "NextItems",
    "OfNumbers",
    "OfSequence",
    "OneHot",
    "Pin",
    "Pool",
    "Predict",
    "Quantile",
    "Ratio",
    "Read",
    "Rfm",
    "Scored",
    "Segment",
    "Sequence",
    "Share",
    "Std",
    "Streak",
    "StreakUnit",
    "Sum",
    "TextStatistic",
    "Top",
    "Trend",
    "Vector",
    "Windowed",
    "ZScore",
    "encoders_of",
]
