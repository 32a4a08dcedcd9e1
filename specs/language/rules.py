"""Rules within one document that no type can say: which keys go together, and which values make sense."""

import re
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from limner.language.derivation import misused, output_names_of
from limner.language.derived_base import Derived
from limner.language.durations import MICROS, Duration
from limner.language.feature_base import repeated
from limner.language.features import Asking
from limner.language.formats import TITLES, formats
from limner.language.learning.rules import broken_model
from limner.language.models import (
    Encoder,
    Entity,
    FeatureView,
    LearnedModel,
    Model,
    Profile,
    Range,
    RequestView,
    Source,
)
from limner.language.places import Path
from limner.language.request_features import Calculation
from limner.language.suggest import did_you_mean, listed, nearest

Finding = tuple[Path, str, bool]
RESERVED = ("event_timestamp", "created_timestamp")
_URL = re.compile(r"(?P<driver>[a-z][a-z0-9_]*(\+[a-z0-9_]+)?)://(?:[^/?#@]*?(?::(?P<password>[^/?#]*))?@)?[^?#]*"
                  r"(?:\?(?P<query>[^#]*))?")  # fmt: skip
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


def broken(model: Model, data: dict[str, Any]) -> list[Finding]:  # noqa: PLR0911 - one a kind of document
    """Every rule that a well-typed document breaks; `data` is what was written."""
    match model:
        case Entity():
            return list(_entity(model))
        case Source():
            return list(_source(model, data))
        case FeatureView():
            return [*_reads(model), *_view(model)]
        case RequestView():
            return list(_request_view(model))
        case Profile():
            return list(_profile(model))
        case Encoder():
            return list(_encoder(model, data))
        case LearnedModel():
            return list(broken_model(model))
    raise AssertionError(f"no rules for {type(model).__name__}")


def _entity(entity: Entity) -> Iterator[Finding]:
    for key in entity.join_keys:
        if key in RESERVED or key.startswith("__"):
            yield ("join_keys", key), f"a join key cannot be named {key!r}: the name is reserved", True


def _source(source: Source, data: dict[str, Any]) -> Iterator[Finding]:
    yield from _location(source)
    yield from _zone(source.timezone)
    if source.event_timestamp is not None and source.since is not None:
        text = "a source has event_timestamp or since, not both: since is for rows without a time of their own"
        yield ("since",), text, True
    timeless = source.event_timestamp is None and source.since is None
    for key in ("created_timestamp", "lag", "tie_break"):
        if timeless and key in data:
            yield (key,), f"{key} needs event_timestamp: say which column is the time of a row", True
    for dimension, keys in source.lookup.items():
        if isinstance(keys, tuple):
            yield from repeated(("lookup", dimension), keys, "column")
        if dimension == source.source:
            yield ("lookup", dimension), "a source cannot look itself up", True
    yield from _identity(source, timeless)
    yield from _stream(source)
    for column, limits in source.clean.range.items():
        yield from _range(("clean", "range", column), limits)
    yield from _columns(source)
    for key in ("tie_break", "drop_duplicates"):
        base: Path = (key,) if key == "tie_break" else ("clean", key)
        columns = source.tie_break if key == "tie_break" else source.clean.drop_duplicates
        yield from repeated(base, columns, "column")


def _zone(name: str) -> Iterator[Finding]:
    if not _is_zone(name):
        close = nearest(name, available_timezones(), alike=0.75)
        advice = f"did you mean {close!r}?" if close else "write a name such as Europe/Berlin or Asia/Shanghai"
        yield ("timezone",), f"there is no time zone {name!r}: {advice}", False


def _identity(source: Source, timeless: bool) -> Iterator[Finding]:
    if len(source.identity) > 1:
        yield ("identity",), "a source has one identity map: merge the links into one source", False
    for name, keys in source.identity.items():
        if isinstance(keys, tuple):
            yield from repeated(("identity", name), keys, "column")
        if name == source.source:
            yield ("identity", name), "a source cannot be its own identity map", True
    if timeless and source.identity:
        yield ("identity",), "identity needs event_timestamp or since: rows without a time can only be looked up", True


def _stream(source: Source) -> Iterator[Finding]:
    """Events are rows of the files, written as they come, and known from then on."""
    if source.stream is None:
        return
    if source.database is not None:
        yield ("stream",), "stream is for files: events are written to them as they come", True
        return
    for key in ("event_timestamp", "created_timestamp"):
        if getattr(source, key) is None:
            why = "that is when an event happened" if key == "event_timestamp" else "limner stream writes it"
            yield ("stream",), f"stream needs {key}: {why}", True
    if "jsonl" not in formats(source):
        beside = f"if not, give events a path beside the others, such as data/{source.source}/*.jsonl"
        yield ("stream",), f"events are written as JSON Lines: add format: jsonl if the files are; {beside}", True
    for key in ("partitions", "identity"):
        if getattr(source, key):
            yield ("stream",), f"a source with {key} cannot be streamed", True
    if source.clean.drop_duplicates and source.stream.id not in source.clean.drop_duplicates:
        text = f"of a stream, duplicates are events of one id: add {source.stream.id} to drop_duplicates"
        yield ("clean", "drop_duplicates"), text, False


def _columns(source: Source) -> Iterator[Finding]:
    """Renamed columns, and folders that say a time."""
    first: dict[str, str] = {}
    for new, old in source.rename.items():
        if new.startswith("__"):
            yield ("rename", new), f"a column cannot be named {new!r}: names that start with __ are reserved", True
        elif old in first:
            yield ("rename", new), f"{old!r} is renamed twice, first to {first[old]!r}: keep one", False
        first.setdefault(old, new)
    if source.partitions and source.event_timestamp is None:
        text = "partitions say a part of event_timestamp: declare that column, or leave partitions out"
        yield ("partitions",), text, True
    for key in source.partitions:
        if key in (source.event_timestamp, source.created_timestamp):
            text = f"{key!r} is the time itself; a partition is a folder named {key}=... that says a part of it"
            yield ("partitions", key), text, True


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _location(source: Source) -> Iterator[Finding]:
    if source.path is not None:
        if source.database is not None or source.table is not None:
            key = "database" if source.database is not None else "table"
            yield (key,), "a source is files (path) or a table (database and table), not both", True
        kinds = formats(source)
        if len(kinds) > 1 and (source.stream is None or "jsonl" not in kinds):
            mixed = listed([TITLES[kind] for kind in TITLES if kind in kinds], "and")
            yield ("path",), f"the paths mix {mixed}: make each a source", False
        if source.format == "delta" and len(source.paths) > 1:
            yield ("path",), "a Delta table is one folder: make each table a source", False
    elif source.database is not None and source.table is not None:
        yield from _database(source.database)
        if source.format is not None:
            yield ("format",), "format is for files: a table has none", True
        if source.partitions:
            yield ("partitions",), "partitions are folders of files: a table has none", True
    elif source.database is None and source.table is None:
        yield (), "says nothing about where its rows are: add path (files), or database and table", False
    else:
        there, lacks = ("table", "database") if source.database is None else ("database", "table")
        yield (there,), f"a table needs both database and table: add {lacks}", True


def _database(url: str) -> Iterator[Finding]:
    if _VARIABLE.fullmatch(url):
        return
    match = _URL.fullmatch(url)
    if match is None:
        yield (
            ("database",),
            "expected a SQLAlchemy URL such as postgresql+psycopg://user:${DB_PASSWORD}@host/name",
            False,
        )
        return
    password = match["password"]
    secrets = [] if password is None else [password]
    for part in (match["query"] or "").split("&"):
        name, _, value = part.partition("=")
        secrets += [value] if "password" in name.lower() or "secret" in name.lower() or "token" in name.lower() else []
    if any(secret and not _VARIABLE.fullmatch(secret) for secret in secrets):
        text = "a password does not belong in a spec: write ${NAME} and set the environment variable NAME"
        yield ("database",), text, False


def _encoder(encoder: Encoder, data: dict[str, Any]) -> Iterator[Finding]:
    kinds = [kind for kind in ("model", "hashing", "tfidf", "word2vec") if getattr(encoder, kind) is not None]
    if not kinds:
        yield (), "says nothing about how it encodes: add model (a folder or name), hashing, tfidf or word2vec", False
    for kind in kinds[1:]:
        yield (kind,), f"an encoder has {kinds[0]} or {kind}, not both: make them two encoders", True
    fits = (encoder.max_tokens - 2) // 2
    if encoder.split is not None and encoder.split.overlap > fits and kinds[:1] == ["model"]:
        shared = encoder.split.overlap
        text = f"with max_tokens {encoder.max_tokens} pieces can share at most {fits} tokens, not {shared}"
        yield ("split", "overlap") if "overlap" in data["split"] else ("split",), text, False
    for key in ("pooling", "max_tokens", "split", "prefix", "precision"):
        if key in data and kinds and kinds[0] != "model":
            yield (key,), f"{key} is for an encoder with a model: {kinds[0]} has none", True


def _range(path: Path, limits: Range) -> Iterator[Finding]:
    if limits.min is None and limits.max is None:
        yield path, "a range needs min, max or both", False
    elif limits.min is not None and limits.max is not None and limits.min > limits.max:
        yield (*path, "min"), f"min {limits.min} is greater than max {limits.max}", False


def _reads(view: FeatureView) -> Iterator[Finding]:
    """Which source each feature is made of."""
    said = [key for key in ("source", "sources", "views") if getattr(view, key)]
    if not said:
        text = "needs the key 'source': name the source it reads, or several with sources: [a, b], or views: [a, b]"
        yield (), text, False
        return
    for key in said[1:]:
        yield (key,), "a view has source (one), sources (several) or views (others of its entity): keep one", True
    if len(said) > 1:
        return
    if view.views:
        yield from _over_views(view)
        return
    yield from _asking(view)
    yield from repeated(("sources",), view.sources or (), "source")
    reads = tuple(dict.fromkeys(view.reads))
    for name, feature in view.features.items():
        if isinstance(feature, Derived):
            continue
        if feature.from_ is None and len(reads) > 1:
            yield ("features", name), f"of which source? add from: {listed(reads)}", False
        elif feature.from_ is not None and feature.from_ not in reads:
            text = f"the view does not read {feature.from_!r}: {did_you_mean(feature.from_, reads)}"
            yield ("features", name, "from"), text, False
    used = {feature.from_ for feature in view.features.values() if not isinstance(feature, Derived)}
    if used - {*reads}:
        return  # the feature with the mistake may be the one
    for i, name in enumerate(view.sources or ()):
        if name not in used and len(reads) > 1:
            text = f"no feature is made of {name!r}: write from: {name} in one, or leave the source out"
            yield ("sources", i), text, False


def _asking(view: FeatureView) -> Iterator[Finding]:
    """A view over rows cannot ask a model."""
    for name, feature in view.features.items():
        if isinstance(feature, Asking):
            text = "a model reads features of other views: make this view of those, with views: [...] in place of rows"
            yield ("features", name, feature.kind), text, True


def _over_views(view: FeatureView) -> Iterator[Finding]:
    """A view over views has features of theirs alone."""
    yield from repeated(("views",), view.views, "view")
    for name, feature in view.features.items():
        if not isinstance(feature, Derived):
            text = (f"{feature.kind} is made of rows, and a view over views reads none: put it in one of "
                    f"{listed(view.views)}, and use it here as {view.views[0]}.{name}")  # fmt: skip
            yield ("features", name), text, False
    if view.timezone is not None:
        yield ("timezone",), "timezone is for features that are made of rows: a view over views has none", True
    used = view.operands()
    asks = any(isinstance(feature, Asking) for feature in view.features.values())  # models say later what they read
    for i, member in enumerate(view.views):
        if not used[member] and not asks and all(isinstance(feature, Derived) for feature in view.features.values()):
            text = f"no feature is made of {member!r}: use one of its features, {member}.NAME, or leave the view out"
            yield ("views", i), text, False


def _view(view: FeatureView) -> Iterator[Finding]:
    if view.at is not None and isinstance(view.every, str):
        yield ("at",), "at is for a grid of whole days: every: event has no time of day", True
    elif view.at is not None and isinstance(view.every, Duration) and view.every.micros % MICROS["d"]:
        yield ("at",), f"at needs every to be whole days, e.g. every: 1d; here it is {view.every.text}", True
    if view.timezone is not None:
        yield from _zone(view.timezone)
    taken: dict[str, str] = {}
    for name, feature in view.features.items():
        path: Path = ("features", name)
        yield from repeated((*path, "over"), feature.written, "window")
        for below, text, at_key in feature.faults():
            yield (*path, *below), text, at_key
        for output in output_names_of(view.features, name):
            if output in RESERVED:
                yield path, f"a feature cannot be named {output!r}: the name is reserved", True
            elif output in taken:
                yield path, f"makes {output!r}, and so does the feature {taken[output]!r}: rename one", True
            taken.setdefault(output, name)
    for below, text, at_key in misused(view.features, dotted=bool(view.views)):
        yield ("features", *below), text, at_key
    if all(feature.hidden for feature in view.features.values()):
        yield ("features",), "every feature is hidden: nothing would be written", True


def _request_view(view: RequestView) -> Iterator[Finding]:
    for field in view.request:
        if field in RESERVED:
            yield ("request", field), f"a field of a request cannot be named {field!r}: the name is reserved", True
    for name, feature in view.features.items():
        if name in RESERVED:
            yield ("features", name), f"a feature cannot be named {name!r}: the name is reserved", True
        elif name in view.request:
            yield ("features", name), f"{name!r} is a field of the request, too: rename one", True
        if isinstance(feature, Calculation) and not feature.reads:
            text = f"{feature.expression.text!r} names no feature or field of the request: it is the same for everybody"
            yield ("features", name, feature.kind), text, False


def _profile(profile: Profile) -> Iterator[Finding]:
    seen: dict[str, None] = {}
    for i, member in enumerate(profile.features):
        for view in [member] if isinstance(member, str) else member:
            if view in seen:
                yield ("features", i), f"names the feature view {view!r} twice: keep one", False
            seen[view] = None
            columns = () if isinstance(member, str) else member[view]
            yield from repeated(("features", i, view), columns, "feature")
