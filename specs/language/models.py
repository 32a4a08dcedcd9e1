"""The spec language as frozen models. YAML is parsed once, into these; raw dicts never travel further."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from limner.language.durations import Duration, parse_instant
from limner.language.expressions import Condition
from limner.language.features import Feature

NAME = r"^[a-z][a-z0-9_]{0,62}$"
Name = Annotated[str, Field(pattern=NAME, description="lower case letters, digits and underscores")]
Instant = Annotated[int, BeforeValidator(parse_instant)]
LogicalType = Literal["int", "float", "string", "bool", "timestamp"]
KeyType = Literal["int", "string"]
Columns = Annotated[tuple[str, ...], Field(min_length=1)]


class Model(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class Entity(Model):
    """Who or what is described: its join keys and their types."""

    entity: Name
    join_keys: Annotated[dict[str, KeyType], Field(min_length=1)]
    description: str = ""


class Missing(Model):
    """What becomes of a row whose column is null: a value takes its place."""

    fill: str | int | float | bool


class Range(Model):
    """The closed range a column must lie in, and what becomes of a row outside it."""

    min: float | int | None = None
    max: float | int | None = None
    otherwise: Literal["drop", "clip", "quarantine"] = "quarantine"


class TextCleaning(Model):
    """How a text column is normalized, in this order: Unicode, HTML, control characters, white space, case, length."""

    unicode: Literal["NFKC", "NFC", "none"] = "NFKC"
    html: Literal["strip", "keep"] = "strip"
    control: Literal["strip", "keep"] = "strip"
    whitespace: Literal["collapse", "keep"] = "collapse"
    case: Literal["keep", "lower"] = "keep"
    max_chars: Annotated[int, Field(ge=1)] | None = None


class Clean(Model):
    """Cleaning of a source, applied in the order of these keys."""

    cast: dict[str, LogicalType] = {}
    text: dict[str, TextCleaning] = {}
    missing: dict[str, Literal["drop", "quarantine"] | Missing] = {}
    range: dict[str, Range] = {}
    quarantine: tuple[Condition, ...] = ()
    drop: tuple[Condition, ...] = ()
    drop_duplicates: tuple[str, ...] = ()


class Source(Model):
    """Where rows come from: files or one SQL table; when they happened and when they became known."""

    source: Name
    description: str = ""
    path: str | tuple[str, ...] | None = None
    format: Literal["parquet", "csv"] | None = None
    database: str | None = None
    table: str | None = None
    entity: Name | None = None
    event_timestamp: str | None = None
    created_timestamp: str | None = None
    since: Instant | None = None
    timezone: str = "UTC"
    lag: Duration | None = None
    tie_break: tuple[str, ...] = ()
    lookup: dict[Name, str | tuple[str, ...] | dict[str, str]] = {}
    clean: Clean = Clean()


class Encoder(Model):
    """A BERT-family text encoder: weights, pooling of tokens, and the limits that decide its vectors."""

    encoder: Name
    model: str
    description: str = ""
    pooling: Literal["mean", "cls", "max"] = "mean"
    max_tokens: Annotated[int, Field(ge=2, le=8192)] = 128
    normalize: bool = True
    prefix: str = ""
    precision: Literal["auto", "float32", "bfloat16", "float16", "int8"] = "auto"


class Grid(Model):
    """The instants a view has values at: every `step` from Monday 1970-01-05T00:00Z plus `offset` (microseconds).

    `step` None is `every: event`: each instant at which a value changes.
    """

    step: int | None
    offset: int = 0


class FeatureView(Model):
    """Features of one entity from one source, valued at the instants of one grid."""

    feature_view: Name
    description: str = ""
    entity: Name
    source: Name
    every: Literal["event"] | Duration
    at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    online: bool = True
    owner: str = ""
    tags: dict[str, str] = {}
    features: Annotated[dict[Name, Feature], Field(min_length=1)]

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
    description: str = ""
    features: Annotated[tuple[Name | dict[Name, Columns], ...], Field(min_length=1)]


Spec = Entity | Source | Encoder | FeatureView | Profile
