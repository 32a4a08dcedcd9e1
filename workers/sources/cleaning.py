"""Cleaning as one SQL query: layers of SELECT, one a step of the documented order; no row is lost without a fate.

Order: casts, the source's `where`, infinities, keys and times, text, missing, range, quarantine conditions, drop
conditions. (Duplicates and lookups follow, over the table this query fills: see `load`.) Columns of the query: cleaned
columns by name; `__ts`, `__created`, `__known` in microseconds UTC; `__fate`, the number of what became of the row,
null where it is kept; `__new`, whether it became known after the bounds' `known_after`; `__raw.x`, the raw column x,
where asked for.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil, floor

from limner.language.durations import parse_instant
from limner.language.errors import LimnerError
from limner.language.models import LogicalType, Missing, Range, Source
from limner.language.scope import aliases
from limner.workers.sources.fates import Fates
from limner.workers.sources.meeting import meeting
from limner.workers.sources.normalize import normalizer
from limner.workers.sources.physical import FLOATS, logical_type
from limner.workers.sources.scan import CLAIM, EVER, Bounds, Scan
from limner.workers.sources.texts import register
from limner.workers.sources.values import SQL_TYPES, read_as, reads_always
from limner.workers.sources.workbench import Workbench
from limner.workers.sql import literal, quoted


@dataclass
class Cleaning:
    """The query under way for one source. `types` are the cleaned types of its own columns."""

    scan: Scan
    types: Mapping[str, LogicalType]
    wanted: Collection[str]
    keys: Collection[str]
    bounds: Bounds
    bench: Workbench
    timed: bool
    fates: Fates = field(default_factory=Fates)
    text_functions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.columns:
            if name not in self.times and name not in self.types:
                kind = self.scan.column(name)
                raise LimnerError(f"source {self.source.source!r}: column {name!r} is {kind}, which specs cannot use")

    @property
    def source(self) -> Source:
        """The source being cleaned."""
        return self.scan.source

    @property
    def times(self) -> dict[str, str]:
        """Names that stand for the event and created timestamps, with the column of the query that holds them."""
        internal = {"event_timestamp": "__ts", "created_timestamp": "__created"}
        declared = aliases(self.source)
        names = {name: internal[alias] for alias, name in declared.items() if name is not None}
        return {**names, **{alias: internal[alias] for alias in declared}}

    @property
    def columns(self) -> tuple[str, ...]:
        """Own columns that the rows need: those asked for, and all that cleaning reads. Sorted."""
        clean = self.source.clean
        conditions = (*clean.quarantine, *clean.drop, *([self.source.where] if self.source.where is not None else []))
        read = {*self.wanted, *self.keys, *clean.cast, *clean.missing, *clean.range, *clean.drop_duplicates}
        read |= {*self.source.tie_break, *(name for condition in conditions for name in condition.columns)}
        return tuple(sorted(read))

    def query(self, *, raw: bool) -> str:
        """The whole query; `raw`: with every raw column."""
        sql = self._read(raw=raw)
        sql = self._meet(sql)
        sql = self._claim(sql)
        sql = self._place(sql)
        sql = self._judge_reading(sql)
        sql = self._text(sql)
        sql = self._missing(sql)
        sql = self._range(sql)
        sql = self._conditions(sql)
        unread = [] if raw else [quoted("__raw." + name) for name in self._kept(raw=False)]
        return f"SELECT * EXCLUDE ({', '.join(unread)}) FROM ({sql})" if unread else sql

    def order(self, *, raw: bool) -> list[str]:
        """ORDER BY terms of the canonical order: ts, created, tie_break, then (`raw`) all raw columns by name."""
        terms = ["__ts NULLS FIRST"]
        if self.source.created_timestamp is not None:
            terms.append("__created NULLS FIRST")
        terms += [f"{quoted(name)} NULLS FIRST" for name in self.source.tie_break]
        for name in sorted(self.scan.physical) if raw else ():
            physical, column = self.scan.physical[name], quoted("__raw." + name)
            if physical in FLOATS:
                terms += [
                    f"CASE WHEN isnan({column}) THEN NULL ELSE {column} END NULLS FIRST",
                    f"signbit({column}) DESC",
                ]
            elif logical_type(physical) is not None:
                terms.append(f"{column} NULLS FIRST")
        return terms

    def order_columns(self, *, raw: bool) -> set[str]:
        """The columns of the query that `order` reads."""
        names = {"__ts", *self.source.tie_break}
        if self.source.created_timestamp is not None:
            names.add("__created")
        return names | {
            "__raw." + name for name in self.scan.physical if raw and logical_type(self.scan.physical[name])
        }

    def _zone(self, name: str) -> str:
        return self.bench.instants.micros(quoted(name), self.scan.column(name), self.source.timezone)

    def _checked(self) -> list[str]:
        """Columns of which some value may be unreadable, casts first, as declared."""
        ordered = dict.fromkeys((*self.source.clean.cast, *self.columns))
        names = [name for name in ordered if name not in self.times and name in self.types]
        return [name for name in names if not reads_always(self.types[name], self.scan.column(name))]

    def _read(self, *, raw: bool) -> str:
        """Values by logical type, instants, and what the checks need of the raw columns."""
        source, picks = self.source, []
        own = [name for name in self.columns if name not in self.times]
        for name in own:
            value = read_as(
                self.types[name], quoted(name), self.scan.column(name), source.timezone, self.bench.instants
            )
            picks.append(f"{value} AS {quoted(name)}")
        ts = "NULL::BIGINT"
        if self.timed and source.event_timestamp is not None:
            ts = self._zone(source.event_timestamp)
        elif self.timed and source.since is not None:
            ts = f"{source.since}::BIGINT"
        created = "NULL::BIGINT" if source.created_timestamp is None else self._zone(source.created_timestamp)
        picks += [f"{ts} AS __ts", f"{created} AS __created"]
        kept = self._kept(raw=raw)
        picks += [f"{quoted(name)} AS {quoted('__raw.' + name)}" for name in kept]
        picks += map(quoted, CLAIM if self.scan.claimed else ())
        needed = self.scan.physical if raw else dict.fromkeys((*own, *kept))
        return f"SELECT {', '.join(picks)} FROM ({self.scan.sql(list(needed))})"

    def _kept(self, *, raw: bool) -> list[str]:
        """Raw columns that are carried along: those that the checks need, or all."""
        declared = [name for name in (self.source.event_timestamp, self.source.created_timestamp) if name is not None]
        return list(dict.fromkeys([*self._checked(), *declared, *(self.scan.physical if raw else ())]))

    def _meet(self, sql: str) -> str:
        """Only the rows that the source's `where` lets in."""
        where = self.source.where
        if where is None:
            return sql
        times, checked = self.times, set(self._checked())
        values = {n: f"make_timestamptz({times[n]})" if n in times else quoted(n) for n in where.columns}
        types = {name: self._type(name) for name in where.columns}
        unread = [f"{quoted('__raw.' + n)} IS NOT NULL AND {quoted(n)} IS NULL" for n in where.columns if n in checked]
        for of, declared in (("__ts", self.source.event_timestamp), ("__created", self.source.created_timestamp)):
            if declared is not None and of in {times.get(name) for name in where.columns}:
                unread.append(f"{quoted('__raw.' + declared)} IS NOT NULL AND {of} IS NULL")
        return meeting(sql, where.tree, values, types, unread)

    def _claim(self, sql: str) -> str:
        """A row whose time is not what its folder says has no time: a run that needs that time may not look there."""
        if not self.scan.claimed:
            return sql
        low, high, jump = CLAIM
        local = self.bench.instants.local("__ts", self.source.timezone)
        lies = f"coalesce(({local} < {low} OR {local} >= {high}) AND __ts IS DISTINCT FROM {jump}, false)"
        return (
            f"SELECT * REPLACE (CASE WHEN NOT __lies THEN __ts END AS __ts) FROM "
            f"(SELECT * EXCLUDE ({', '.join(CLAIM)}), {lies} AS __lies FROM ({sql}))"
        )

    def _place(self, sql: str) -> str:
        """When a row became known, whether the bounds hold it, and its times by their names."""
        lag = self.source.lag.micros if self.source.lag is not None else 1
        known = f"__ts + {max(lag, 1)}"
        if self.source.created_timestamp is not None:
            known = f"CASE WHEN __ts IS NOT NULL THEN greatest({known}, coalesce(__created, __ts + 1)) END"
        bounds = self.bounds
        sql = f"SELECT *, {known} AS __known FROM ({sql})"
        named = "".join(
            f", make_timestamptz({of}) AS {quoted(name)}" for name, of in self.times.items() if name in self.columns
        )
        sql = (
            f"SELECT *, NULL::INTEGER AS __fate, __known IS NULL OR __known > {bounds.known_after} AS __new{named} "
            f"FROM ({sql})"
        )
        held = [] if bounds.until >= EVER else [f"(__known IS NULL OR __known <= {bounds.until})"]
        held += [] if bounds.lower is None else [f"(__known IS NULL OR {in_reach(bounds)})"]
        held += [] if bounds.before is None else [f"__ts < {bounds.before}"]
        return f"{sql} WHERE {' AND '.join(held)}" if held else sql

    def _judge_reading(self, sql: str) -> str:
        cases = []
        for name in self._checked():
            fate = self.fates.number("quarantine", f"cannot read {name} as {self.types[name]}")
            cases.append((f"{quoted('__raw.' + name)} IS NOT NULL AND {quoted(name)} IS NULL", fate))
        floats = [name for name in self.columns if self.types.get(name) == "float"]
        cases += [
            (f"isinf({quoted(name)})", self.fates.number("quarantine", f"{name} is not finite")) for name in floats
        ]
        cases += [(f"{quoted(key)} IS NULL", self.fates.number("quarantine", f"no {key}")) for key in self.keys]
        for name, of in (("event_timestamp", "__ts"), ("created_timestamp", "__created")):
            declared = getattr(self.source, name)
            if declared is None or (of == "__ts" and not self.timed):
                continue
            if of == "__ts" and self.scan.claimed:
                fate = self.fates.number("quarantine", f"{declared} is not the time that its folder says")
                cases.append(("__lies", fate))
            unreadable = f"{quoted('__raw.' + declared)} IS NOT NULL AND {of} IS NULL"
            cases.append((unreadable, self.fates.number("quarantine", f"cannot read {declared} as timestamp")))
            if of == "__ts":
                cases.append((f"{of} IS NULL", self.fates.number("quarantine", f"no {declared}")))
        finite = {name: f"CASE WHEN isnan({quoted(name)}) THEN NULL ELSE {quoted(name)} END" for name in floats}
        return _replaced(_judged(sql, cases), finite)

    def _text(self, sql: str) -> str:
        rules = {name: rule for name, rule in self.source.clean.text.items() if name in self.columns}
        for name, rule in rules.items():
            if name not in self.text_functions:
                self.text_functions[name] = self.bench.name()
                register(self.bench.database, self.text_functions[name], normalizer(rule), "VARCHAR")
        return _replaced(sql, {name: f"{self.text_functions[name]}({quoted(name)})" for name in rules})

    def _missing(self, sql: str) -> str:
        cases, filled = [], {}
        for name, rule in self.source.clean.missing.items():
            if isinstance(rule, Missing):
                filled[name] = f"coalesce({quoted(name)}, {_constant(rule.fill, self._type(name))})"
            else:
                cases.append((f"{quoted(name)} IS NULL", self.fates.number(rule, f"{name} is missing")))
        return _replaced(_judged(sql, cases), filled)

    def _range(self, sql: str) -> str:
        cases, clipped = [], {}
        for name, limits in self.source.clean.range.items():
            column, kind = quoted(name), self._type(name)
            least = None if limits.min is None else _constant(ceil(limits.min) if kind == "int" else limits.min, kind)
            most = None if limits.max is None else _constant(floor(limits.max) if kind == "int" else limits.max, kind)
            if limits.otherwise == "clip":
                value = column if least is None else f"greatest({column}, {least})"
                value = value if most is None else f"least({value}, {most})"
                clipped[name] = f"CASE WHEN {column} IS NOT NULL THEN {value} END"
            else:
                outside = [f"{column} < {least}"] * (least is not None) + [f"{column} > {most}"] * (most is not None)
                reason = f"{name} is outside {_shown(limits)}"
                cases.append((" OR ".join(outside), self.fates.number(limits.otherwise, reason)))
        return _replaced(_judged(sql, cases), clipped)

    def _conditions(self, sql: str) -> str:
        clean = self.source.clean
        types = {name: self._type(name) for name in self.columns}
        cases = [(c.sql_over(types), self.fates.number("quarantine", c.text)) for c in clean.quarantine]
        cases += [(c.sql_over(types), self.fates.number("drop", c.text)) for c in clean.drop]
        return _judged(sql, cases)

    def _type(self, name: str) -> LogicalType:
        return "timestamp" if name in self.times else self.types[name]


def in_reach(bounds: Bounds) -> str:
    """The predicate of rows that are needed because they may be in a window, or are new."""
    if bounds.lower is None:
        return "true"
    if bounds.stretches is None:
        return f"(__ts >= {bounds.lower} OR __known > {bounds.known_after})"
    inside = "".join(f"(__ts >= {low} AND __ts < {high}) OR " for low, high in bounds.stretches)
    return f"({inside}__known > {bounds.known_after})"


def _judged(sql: str, cases: Iterable[tuple[str, int]]) -> str:
    """Give each row without a fate the first one whose predicate is true."""
    whens = " ".join(f"WHEN {predicate} THEN {fate}" for predicate, fate in cases)
    return (
        sql
        if not whens
        else f"SELECT * REPLACE (CASE WHEN __fate IS NOT NULL THEN __fate {whens} END AS __fate) FROM ({sql})"
    )


def _replaced(sql: str, values: Mapping[str, str]) -> str:
    picks = ", ".join(f"{value} AS {quoted(name)}" for name, value in values.items())
    return sql if not picks else f"SELECT * REPLACE ({picks}) FROM ({sql})"


def _constant(value: str | int | float | bool, kind: LogicalType) -> str:
    if kind == "timestamp":
        return f"make_timestamptz({parse_instant(value)})"
    return f"{literal(str(value).lower() if isinstance(value, bool) else str(value))}::{SQL_TYPES[kind]}"


def _shown(limits: Range) -> str:
    least = "-inf" if limits.min is None else limits.min
    most = "inf" if limits.max is None else limits.max
    return f"[{least}, {most}]"
