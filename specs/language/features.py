"""The feature kinds of the language. Each kind is a model whose first key names it: `{sum: sales_value, over: 7d}`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from limner.language.durations import Duration
from limner.language.expressions import Condition
from limner.language.feature_base import FeatureBase, Windowed
from limner.language.scalars import Bool, Filled, Int, Number, Scalar
from limner.language.template import Template


class Count(Windowed):
    """Number of rows (`*`), of rows where a column is not null, or of its distinct values. 0 when empty."""

    kind = "count"
    count: Filled
    distinct: Bool = False
    default: Int | None = None


class Sum(Windowed):
    """Sum of a numeric column, correctly rounded. 0 when empty."""

    kind = "sum"
    sum: Filled
    default: Number | None = None


class Mean(Windowed):
    """Correctly rounded sum divided by the number of values. Null when empty."""

    kind = "mean"
    mean: Filled
    default: Number | None = None


class Min(Windowed):
    """Least value. Null when empty."""

    kind = "min"
    min: Filled
    default: Scalar | None = None


class Max(Windowed):
    """Greatest value. Null when empty."""

    kind = "max"
    max: Filled
    default: Scalar | None = None


class Std(Windowed):
    """Sample standard deviation (n - 1). Null with fewer than two values."""

    kind = "std"
    std: Filled
    default: Number | None = None


class Distinct(Windowed):
    """Number of distinct values that are not null. 0 when empty."""

    kind = "distinct"
    distinct: Filled
    default: Int | None = None


class First(Windowed):
    """Oldest value that is not null. Null when empty."""

    kind = "first"
    first: Filled
    default: Scalar | None = None


class Last(Windowed):
    """Newest value that is not null. Null when empty."""

    kind = "last"
    last: Filled
    default: Scalar | None = None


class Latest(FeatureBase):
    """An attribute: the column as the newest known row has it, null included."""

    kind = "latest"
    latest: Filled
    default: Scalar | None = None


class Top(Windowed):
    """The k most frequent values, most frequent first, ties by value. Null when empty."""

    kind = "top"
    top: Annotated[Int, Field(ge=1, le=100)]
    of: Filled
    default: tuple[Scalar, ...] | None = None

    @property
    def column(self) -> str | None:
        """The column of categories."""
        return self.of


class Share(Windowed):
    """Sum of a column (or number of rows, `*`) where the condition holds, over the sum of all. Null when that is 0."""

    kind = "share"
    share: Filled
    where: Condition
    default: Number | None = None


class MeanPool(BaseModel):
    """Weighted mean of text vectors: by a column, by recency, over the newest n rows."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    weight: Filled | None = None
    half_life: Duration | None = None
    newest: Annotated[Int, Field(ge=1, le=1000)] | None = None


class Pool(BaseModel):
    """How a window's text vectors become one."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    mean: MeanPool = MeanPool()


class Embed(Windowed):
    """Vectors of a text written from columns, encoded by BERT and pooled over the window. Null when empty."""

    kind = "embed"
    embed: Template
    encoder: Filled
    pool: Annotated[
        Annotated[Literal["mean"], Tag("<one>")] | Annotated[Pool, Tag("<mapping>")],
        Discriminator(lambda value: "<mapping>" if isinstance(value, dict | Pool) else "<one>"),
    ] = "mean"

    @property
    def column(self) -> str | None:
        """None: a text is written from a template."""
        return None

    @property
    def pooling(self) -> MeanPool:
        """The pooling asked for, defaults filled in."""
        return self.pool.mean if isinstance(self.pool, Pool) else MeanPool()


KINDS: tuple[type[FeatureBase], ...] = (
    Count, Sum, Mean, Min, Max, Std, Distinct, First, Last, Latest, Top, Share, Embed,
)  # fmt: skip
KIND_NAMES: tuple[str, ...] = tuple(kind.kind for kind in KINDS)


def _kind_of(value: Any) -> str | None:
    """The kind a mapping names; `{count: x, distinct: true}` is a count."""
    if isinstance(value, FeatureBase):
        return f"<{value.kind}>"
    return next((f"<{kind}>" for kind in KIND_NAMES if isinstance(value, dict) and kind in value), None)


# Tags stand in angle brackets so that the place of an error tells a tag from the key of the same name.
Feature = Annotated[
    Annotated[Count, Tag("<count>")]
    | Annotated[Sum, Tag("<sum>")]
    | Annotated[Mean, Tag("<mean>")]
    | Annotated[Min, Tag("<min>")]
    | Annotated[Max, Tag("<max>")]
    | Annotated[Std, Tag("<std>")]
    | Annotated[Distinct, Tag("<distinct>")]
    | Annotated[First, Tag("<first>")]
    | Annotated[Last, Tag("<last>")]
    | Annotated[Latest, Tag("<latest>")]
    | Annotated[Top, Tag("<top>")]
    | Annotated[Share, Tag("<share>")]
    | Annotated[Embed, Tag("<embed>")],
    Discriminator(_kind_of),
]
