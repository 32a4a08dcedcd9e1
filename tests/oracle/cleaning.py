"""From raw rows to the rows features are made of: casts, cleaning, knowledge, duplicates, lookups."""

import html
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from limner.language.models import Range, Source, TextCleaning
from tests.oracle.conditions import holds, truth
from tests.oracle.instants import from_micros, read, to_micros

Row = dict[str, Any]
NEVER = 2**62  # µs, after all instants


class UnusableError(Exception):
    """The row goes to quarantine."""


class DroppedError(Exception):
    """The spec says to leave the row out."""


class UnreadError(Exception):
    """The source's `where` says not to read the row."""


@dataclass
class Table:
    """Raw rows as a user has them, datetimes naive or aware; `types` are Arrow's, by column."""

    types: dict[str, str]
    rows: list[Row]


@dataclass
class Event:
    """A clean row: when it happened, from when on it is known (µs), and where it stands among equals."""

    row: Row
    at: int | None
    created: int | None
    known: int
    order: tuple[Any, ...] = ()
    source: str = ""
    until: int = NEVER  # when it is withdrawn from its entity


@dataclass
class Cleaned:
    """A source's clean rows in canonical order, and what became of the others."""

    events: list[Event]
    fates: Counter[str] = field(default_factory=Counter)


def clean(
    tables: Mapping[str, Table], sources: Mapping[str, Source], name: str, keys: Sequence[str], used: Collection[str]
) -> Cleaned:
    """The rows of source `name` that count, dimensions looked up.

    A row needs all of `keys`; `used` are the columns a view uses: an infinity in a column that nobody looks at does
    no harm.
    """
    source = sources[name]
    looked_at = {*used, *_looked_at(source)}
    result = Cleaned([])
    for stored in tables[name].rows:
        raw = _renamed(stored, source)
        try:
            event = _clean_row(raw, source, keys, looked_at)
            event.order = _canonical(event, source, raw)
            result.events.append(event)
        except UnusableError:
            result.fates["quarantined"] += 1
        except DroppedError:
            result.fates["dropped"] += 1
        except UnreadError:
            pass
    result.events.sort(key=lambda event: event.order)
    before = len(result.events)
    result.events = _without_duplicates(result.events, source)
    result.fates["duplicate"] = before - len(result.events)
    for dimension, using in source.lookup.items():
        pairs = pairs_of(using)
        entries = clean(tables, sources, dimension, (), {*used, *pairs.values()}).events
        for event in result.events:
            _look_up(
                event,
                pairs,
                entries,
                list(tables[dimension].types),
                sources[dimension].event_timestamp is not None,
            )
    return result


def known_from(raw: Row, source: Source, keys: Sequence[str]) -> int | None:
    """The instant (µs) from which a raw row is known; None if it cannot be used."""
    row = _renamed(raw, source)
    try:
        return _clean_row(row, source, [key for key in keys if key in row], ()).known
    except (UnusableError, DroppedError, UnreadError):
        return None


def columns_of(table: Table, source: Source) -> set[str]:
    """The names of a table's columns."""
    return set(_renamed(dict.fromkeys(table.types), source))


def _renamed(raw: Row, source: Source) -> Row:
    """The row by the names that the spec gives its columns."""
    new = {old: name for name, old in source.rename.items()}
    return {new.get(name, name): value for name, value in raw.items()}


def pairs_of(using: Any) -> dict[str, str]:
    """Own column -> the dimension's column."""
    return using if isinstance(using, dict) else {name: name for name in ([using] if isinstance(using, str) else using)}


def _looked_at(source: Source) -> set[str]:
    """The columns a source's own rules look at."""
    rules = source.clean
    written = (*rules.quarantine, *rules.drop, *([source.where] if source.where else []))
    conditions = [name for condition in written for name in condition.columns]
    joined = (*source.lookup.values(), *source.identity.values())
    lookups = [name for using in joined for name in pairs_of(using)]
    return {*rules.missing, *rules.range, *rules.drop_duplicates, *source.tie_break, *rules.cast, *conditions, *lookups}


def _clean_row(raw: Row, source: Source, keys: Sequence[str], looked_at: Collection[str]) -> Event:
    row = {name: _readable(value, source) for name, value in raw.items()}
    if source.where is not None and not _is_read(row, source):
        raise UnreadError
    for name, kind in source.clean.cast.items():
        row[name] = _readable(_cast(row[name], kind), source)
    if any(isinstance(row[name], float) and math.isinf(row[name]) for name in looked_at & row.keys()):
        raise UnusableError
    if any(row[key] is None for key in keys):
        raise UnusableError
    event = _when(row, source)
    for name, how in source.clean.text.items():
        row[name] = None if row[name] is None else _text(row[name], how)
    for name, then in source.clean.missing.items():
        if row[name] is None:
            if then == "quarantine":
                raise UnusableError
            if then == "drop":
                raise DroppedError
            row[name] = then.fill
    for name, limits in source.clean.range.items():
        row[name] = _within(row[name], limits)
    if any(holds(condition.text, row) for condition in source.clean.quarantine):
        raise UnusableError
    if any(holds(condition.text, row) for condition in source.clean.drop):
        raise DroppedError
    return event


def _is_read(raw: Row, source: Source) -> bool:
    """Whether `where` is true, or cannot be told because a value cannot be read."""
    row, lost = dict(raw), set()
    times = {name: "timestamp" for name in (source.event_timestamp, source.created_timestamp) if name is not None}
    for name, kind in {**source.clean.cast, **times}.items():
        try:
            row[name] = _readable(_cast(row[name], kind), source)
        except UnusableError:
            row[name] = None
            lost.add(name)
    aliases = {"event_timestamp": source.event_timestamp, "created_timestamp": source.created_timestamp}
    for alias, name in aliases.items():
        if name is not None:
            row[alias] = row[name]
            lost |= {alias} if name in lost else set()
    if source.since is not None:
        row["event_timestamp"] = from_micros(source.since)
    assert source.where is not None
    found = truth(source.where.text, row)
    return found is True or (found is None and bool(lost & set(source.where.columns)))


def _when(row: Row, source: Source) -> Event:
    """When the row happened and became known, the aliases of both put into the row."""
    for name in (source.event_timestamp, source.created_timestamp):
        if name is not None and isinstance(row[name], str):
            row[name] = _readable(_cast(row[name], "timestamp"), source)
    created = row[source.created_timestamp] if source.created_timestamp else None
    if source.created_timestamp:
        row["created_timestamp"] = created
    if source.event_timestamp:
        row["event_timestamp"] = row[source.event_timestamp]
        if row["event_timestamp"] is None:
            raise UnusableError
    elif source.since is not None:
        row["event_timestamp"] = from_micros(source.since)
    else:
        return Event(row, None, None, 0)
    at = to_micros(row["event_timestamp"])
    since = None if created is None else to_micros(created)
    known = [at + 1]
    if since is not None:
        known.append(since)
    if source.lag is not None:
        known.append(at + source.lag.micros)
    return Event(row, at, since, max(known))


def _readable(value: Any, source: Source) -> Any:
    """Not a number is null, a datetime is an instant."""
    if isinstance(value, datetime):
        return read(value, source.timezone)
    if isinstance(value, float) and math.isnan(value):
        return None
    return value


def _cast(value: Any, kind: str) -> Any:
    try:
        if value is None:
            return None
        if kind == "timestamp":
            return value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if kind == "bool":
            return {"true": True, "false": False}[value] if isinstance(value, str) else bool(value)
        return {"int": int, "float": float, "string": str}[kind](value)
    except (ValueError, KeyError):
        raise UnusableError from None


def _text(value: str, how: TextCleaning) -> str:
    if how.unicode != "none":
        value = unicodedata.normalize(how.unicode, value)
    if how.html == "strip":
        value = html.unescape(re.sub(r"<[^<>]*>", " ", value))
    if how.control == "strip":
        value = "".join(c for c in value if unicodedata.category(c) != "Cc" or c in "\t\n\r")
    if how.whitespace == "collapse":
        value = " ".join(value.split())
    if how.case == "lower":
        value = value.lower()
    return value if how.max_chars is None else value[: how.max_chars]


def _within(value: Any, limits: Range) -> Any:
    if value is None:
        return None
    low = limits.min is not None and value < limits.min
    high = limits.max is not None and value > limits.max
    if not low and not high:
        return value
    if limits.otherwise == "quarantine":
        raise UnusableError
    if limits.otherwise == "drop":
        raise DroppedError
    return type(value)(limits.min if low else limits.max)


def ordered(value: Any) -> tuple[Any, ...]:
    """A sort key for one value: null first, text by its UTF-8 bytes, false before true, -0.0 before 0.0."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return (0,)
    if isinstance(value, float):
        return (1, value, math.copysign(1, value))
    return (1, value.encode() if isinstance(value, str) else value)


def _canonical(event: Event, source: Source, raw: Row) -> tuple[Any, ...]:
    """Event timestamp, created timestamp, the source's tie break, then all its columns by name, as they came."""
    ties = [ordered(event.row[name]) for name in source.tie_break]
    return (ordered(event.at), ordered(event.created), *ties, *(ordered(raw[name]) for name in sorted(raw)))


def _without_duplicates(events: list[Event], source: Source) -> list[Event]:
    """Of rows equal in the declared columns, the first known; the canonical order is kept."""
    if not source.clean.drop_duplicates:
        return events
    first: dict[tuple[Any, ...], Event] = {}
    for event in sorted(events, key=lambda event: (event.known, event.order)):
        first.setdefault(tuple(event.row[name] for name in source.clean.drop_duplicates), event)
    kept = {id(event) for event in first.values()}
    return [event for event in events if id(event) in kept]


def _look_up(event: Event, pairs: Mapping[str, str], entries: list[Event], columns: list[str], timed: bool) -> None:
    """Add the dimension's columns: of its matching rows the first or, if timed, the newest known by then."""
    matching = [
        entry
        for entry in entries
        if all(event.row[ours] is not None and event.row[ours] == entry.row[theirs] for ours, theirs in pairs.items())
    ]
    if timed:
        matching = [
            entry
            for entry in matching
            if entry.at <= event.at and (entry.created is None or entry.created <= event.known)  # type: ignore[operator]
        ][-1:]
    found = matching[0].row if matching else {}
    for name in columns:
        event.row.setdefault(name, found.get(name))
