"""The spec language as frozen models. YAML is parsed once, into these; raw dicts never travel further."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from limner.language.durations import Duration
from limner.language.example import Example
from limner.language.expressions import Condition
from limner.language.feature_base import FeatureBase
from limner.language.features import Feature
from limner.language.learning.document import LearnedModel as LearnedModel
from limner.language.names import NAME as NAME
from limner.language.names import Columns, Name
from limner.language.names import Member as Member
from limner.language.names import Model as Model
from limner.language.request_features import AnyRequestFeature
from limner.language.scalars import Bool, Every, Filled, Instant, Int, Number, Scalar, Text, by_shape
from limner.language.term_encoders import Hashing, Learning, Tfidf, Word2Vec
from limner.language.types import KeyType as KeyType
from limner.language.types import LogicalType as LogicalType

Format = Literal["parquet", "csv", "jsonl", "delta"]
Part = Literal["hour", "day", "month", "year"]
OneOrMany = Annotated[
    Annotated[Filled, Tag("<one>")] | Annotated[Columns, Tag("<list>")],
    Discriminator(lambda value: "<list>" if isinstance(value, list | tuple) else "<one>"),
]
LookupKeys = Annotated[
    Annotated[Filled, Tag("<one>")]
    | Annotated[Columns, Tag("<list>")]
    | Annotated[dict[Filled, Filled], Field(min_length=1), Tag("<mapping>")],
    Discriminator(by_shape),
]


class Entity(Model):
    """Who or what is described: its join keys and their types."""

    entity: Name
    join_keys: Annotated[dict[Filled, KeyType], Field(min_length=1)]
    description: Text = ""


class Missing(Model):
    """What becomes of a row whose column is null: a value takes its place."""

    fill: Scalar


MissingRule = Annotated[
    Annotated[Literal["drop", "quarantine"], Tag("<one>")] | Annotated[Missing, Tag("<mapping>")],
    Discriminator(lambda value: "<mapping>" if isinstance(value, dict | Missing) else "<one>"),
]


class Range(Model):
    """The closed range a column must lie in, and what becomes of a row outside it."""

    min: Number | None = None
    max: Number | None = None
    otherwise: Literal["drop", "clip", "quarantine"] = "quarantine"


class TextCleaning(Model):
    """How a text column is normalized, in this order: Unicode, HTML, control characters, white space, case, length."""

    unicode: Literal["NFKC", "NFC", "none"] = "NFKC"
    html: Literal["strip", "keep"] = "strip"
    control: Literal["strip", "keep"] = "strip"
    whitespace: Literal["collapse", "keep"] = "collapse"
    case: Literal["keep", "lower"] = "keep"
    max_chars: Annotated[Int, Field(ge=1)] | None = None


class Clean(Model):
    """Cleaning of a source, applied in the order of these keys."""

    cast: dict[str, LogicalType] = {}
    text: dict[str, TextCleaning] = {}
    missing: dict[str, MissingRule] = {}
    range: dict[str, Range] = {}
    quarantine: tuple[Condition, ...] = ()
    drop: tuple[Condition, ...] = ()
    drop_duplicates: tuple[Filled, ...] = ()


class Stream(Model):
    """How events of a source are told apart as they come, and how late they may be."""

    id: Filled
    lateness: Duration


class Source(Model):
    """Where rows come from: files or one SQL table; when they happened and when they became known.

    `rename` is new name to old; every other key uses the new names. `where`: rows that do not meet it are not read.
    `partitions`: folder key to the part of the local event time that it says.
    """

    source: Name
    description: Text = ""
    path: OneOrMany | None = None
    format: Format | None = None
    database: Filled | None = None
    table: Filled | None = None
    rename: dict[Filled, Filled] = {}
    where: Condition | None = None
    partitions: dict[Filled, Part] = {}
    entity: Name | None = None
    event_timestamp: Filled | None = None
    created_timestamp: Filled | None = None
    since: Instant | None = None
    timezone: Filled = "UTC"
    lag: Duration | None = None
    tie_break: tuple[Filled, ...] = ()
    lookup: dict[Name, LookupKeys] = {}
    identity: dict[Name, LookupKeys] = {}
    clean: Clean = Clean()
    stream: Stream | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths as written; none for a table."""
        return self.path if isinstance(self.path, tuple) else () if self.path is None else (self.path,)

    @property
    def others(self) -> tuple[str, ...]:
        """The sources that this one cannot be read without: those it looks up, and its identity map."""
        return tuple(dict.fromkeys((*self.lookup, *self.identity)))

    def lookup_pairs(self, dimension: str) -> tuple[tuple[str, str], ...]:
        """(own column, column of the dimension) for each key of a lookup."""
        return self._pairs(self.lookup[dimension])

    def identity_pairs(self, name: str) -> tuple[tuple[str, str], ...]:
        """(own column, column of the map) for each column of an id."""
        return self._pairs(self.identity[name])

    @staticmethod
    def _pairs(keys: LookupKeys) -> tuple[tuple[str, str], ...]:
        if isinstance(keys, dict):
            return tuple(keys.items())
        return tuple((key, key) for key in (keys if isinstance(keys, tuple) else (keys,)))


class Split(Model):
    """Long texts in overlapping pieces, whose vectors are pooled by the tokens that each adds."""

    overlap: Annotated[Int, Field(ge=0)] = 32
    most: Annotated[Int, Field(ge=2, le=64)] = 8


class Encoder(Model):
    """What turns a text into a vector: a BERT-family model (weights, pooling of tokens, limits), or made of terms."""

    encoder: Name
    model: Filled | None = None
    hashing: Hashing | None = None
    tfidf: Tfidf | None = None
    word2vec: Word2Vec | None = None
    description: Text = ""
    pooling: Literal["mean", "cls", "max"] = "mean"
    max_tokens: Annotated[Int, Field(ge=2, le=8192)] = 128
    split: Split | None = None
    normalize: Bool = True
    prefix: Text = ""
    precision: Literal["auto", "float32", "bfloat16", "float16", "int8"] = "auto"

    @property
    def terms(self) -> Hashing | Learning | None:
        """How terms are counted, or what they mean; None for a model."""
        return self.hashing or self.learning

    @property
    def learning(self) -> Learning | None:
        """What it learns of a source, if it does."""
        return self.tfidf or self.word2vec


class Grid(Model):
    """The instants a view has values at: every `step` from Monday 1970-01-05T00:00Z plus `offset` (microseconds).

    `step` None is `every: event`: each instant at which a value changes.
    """

    step: int | None
    offset: int = 0


class FeatureView(Model):
    """Features of one entity, from one source or several or from other views, valued at the instants of one grid."""

    feature_view: Name
    description: Text = ""
    entity: Name
    source: Name | None = None
    sources: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    views: Annotated[tuple[Name, ...], Field(min_length=1)] = ()
    every: Every
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    timezone: Filled | None = None
    online: Bool = True
    owner: Text = ""
    tags: dict[str, Text] = {}
    features: Annotated[dict[Name, Feature], Field(min_length=1)]
    examples: tuple[Example, ...] = ()

    @property
    def reads(self) -> tuple[str, ...]:
        """The sources whose rows the features are made of, in the order written."""
        return (self.source,) if self.source is not None else self.sources or ()

    def places_of_sources(self) -> tuple[tuple[tuple[str | int, ...], str], ...]:
        """The key path at which each source is written, and its name."""
        if self.source is not None:
            return ((("source",), self.source),)
        return tuple((("sources", i), name) for i, name in enumerate(self.sources or ()))

    def source_of(self, feature: FeatureBase) -> str:
        """The source whose rows one feature is made of."""
        return feature.from_ or self.reads[0]

    def operands(self) -> dict[str, tuple[str, ...]]:
        """By the name of each of its `views`, the features of that view which its own are made of (`view.feature`)."""
        found: dict[str, list[str]] = {name: [] for name in self.views}
        for feature in self.features.values():
            for operand in feature.operands():
                member, dot, output = operand.name.partition(".")
                if dot and member in found and output not in found[member]:
                    found[member].append(output)
        return {name: tuple(sorted(outputs)) for name, outputs in found.items()}

    @property
    def grid(self) -> Grid:
        """The view's instants."""
        if isinstance(self.every, str):
            return Grid(step=None)
        hours, minutes = (self.at or "00:00").split(":")
        return Grid(step=self.every.micros, offset=(int(hours) * 60 + int(minutes)) * 60_000_000)


class Profile(Model):
    """A named set of features served together: whole views, or chosen features of a view."""

    profile: Name
    description: Text = ""
    features: Annotated[tuple[Member, ...], Field(min_length=1)]


class VectorField(Model):
    """A vector that a request brings: how many numbers it has."""

    vector: Annotated[Int, Field(ge=1, le=65_536)]


RequestField = Annotated[
    Annotated[LogicalType, Tag("<one>")] | Annotated[VectorField, Tag("<mapping>")],
    Discriminator(lambda value: "<mapping>" if isinstance(value, dict | VectorField) else "<one>"),
]


class RequestView(Model):
    """Features of one entity that are computed when they are read, from stored features and from what a request says.

    A feature may read features of the entity's views (`view.feature`), fields of the request, and the other features.
    """

    request_view: Name
    description: Text = ""
    entity: Name
    owner: Text = ""
    tags: dict[str, Text] = {}
    request: dict[Name, RequestField] = {}
    features: Annotated[dict[Name, AnyRequestFeature], Field(min_length=1)]


Spec = Entity | Source | Encoder | LearnedModel | FeatureView | RequestView | Profile

DOCUMENTS: dict[str, type[Model]] = {
    "feature_view": FeatureView,
    "request_view": RequestView,
    "profile": Profile,
    "encoder": Encoder,
    "model": LearnedModel,
    "source": Source,
    "entity": Entity,
}
"""Document kinds by the key that names them, in the order in which they are recognized."""
