"""The columns a source offers: its own, those of its lookups, and the aliases of its times."""

from collections.abc import Mapping
from dataclasses import dataclass

from limner.language.models import LogicalType, Source
from limner.language.repo import Specs

RawColumns = Mapping[str, Mapping[str, LogicalType]]
ALIASES = ("event_timestamp", "created_timestamp")


@dataclass(frozen=True)
class Scope:
    """Types by column name: `own` after casts and with aliases, `joined` with the lookups' columns too.

    `ambiguous` are names that several sources have, with those sources: `joined` has the first, a spec may use none.
    """

    own: Mapping[str, LogicalType]
    joined: Mapping[str, LogicalType]
    ambiguous: Mapping[str, tuple[str, ...]]


def aliases(source: Source) -> dict[str, str | None]:
    """The declared column behind each alias a source has; None where `since` stands in for a column."""
    found: dict[str, str | None] = {}
    if source.event_timestamp is not None or source.since is not None:
        found["event_timestamp"] = source.event_timestamp
    if source.created_timestamp is not None:
        found["created_timestamp"] = source.created_timestamp
    return found


def scope(specs: Specs, name: str, raw: RawColumns) -> Scope:
    """What the source `name` offers, given the raw columns of it and its lookups by source name."""
    source = specs.sources[name]
    own = types_of(source, raw[name])
    joined = dict(own)
    holders: dict[str, list[str]] = {column: [name] for column in own}
    for dimension in source.lookup:
        if dimension not in raw:
            continue
        other = specs.sources[dimension]
        keys = {theirs for ours, theirs in source.lookup_pairs(dimension) if ours == theirs}
        columns = _typed(other, raw[dimension])
        for column in columns.keys() - keys - set(ALIASES):
            holders.setdefault(column, []).append(dimension)
        joined = {**{c: kind for c, kind in columns.items() if c not in ALIASES}, **joined}
    ambiguous = {column: tuple(where) for column, where in holders.items() if len(where) > 1}
    for alias, declared in aliases(source).items():
        if alias in raw[name] and declared != alias:
            ambiguous[alias] = (name,)
    return Scope(own, joined, ambiguous)


def _typed(source: Source, raw: Mapping[str, LogicalType]) -> dict[str, LogicalType]:
    """Raw columns after casts; declared times are timestamps whatever they are stored as."""
    columns = {column: source.clean.cast.get(column, kind) for column, kind in raw.items()}
    for column in (source.event_timestamp, source.created_timestamp):
        if column in columns:
            columns[column] = "timestamp"
    return columns


def types_of(source: Source, raw: Mapping[str, LogicalType]) -> dict[str, LogicalType]:
    """Types of a source's own columns after casts, with the aliases of its times."""
    columns = _typed(source, raw)
    for alias in aliases(source):
        columns[alias] = "timestamp"
    return columns
