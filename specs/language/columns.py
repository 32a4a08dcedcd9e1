"""The specs held against the data: which columns there are, of which types, and whether every use of them fits."""

from collections.abc import Callable, Iterable, Iterator

from limner.language.condition_types import resolve
from limner.language.durations import parse_instant
from limner.language.errors import Problem, SpecError
from limner.language.expressions import Condition
from limner.language.features import Embed, FeatureBase, Share
from limner.language.models import FeatureView, LogicalType, Missing, Source
from limner.language.outputs import type_of
from limner.language.places import Origin, Path
from limner.language.repo import Specs
from limner.language.scope import RawColumns, Scope, scope
from limner.language.suggest import did_you_mean

_NUMBERS: tuple[LogicalType, ...] = ("int", "float")
_CASTS: dict[LogicalType, tuple[LogicalType, ...]] = {
    "timestamp": ("timestamp", "string"),
    "bool": ("bool", "int", "float", "string"),
    "float": ("float", "int", "bool", "string"),
}


def cleaned(specs: Specs, source_name: str, raw: RawColumns) -> dict[str, LogicalType]:
    """Columns of a source after casts and lookups, with the aliases event_timestamp and created_timestamp."""
    return dict(scope(specs, source_name, raw).joined)


def check(specs: Specs, raw: RawColumns) -> None:
    """Hold every source in `raw`, and every view that reads one, against the columns there are.

    Raises SpecError with all problems: unknown or ambiguous columns, types that clash, defaults that do not fit.
    """
    problems: list[Problem] = []
    for name, source in specs.sources.items():
        if name in raw:
            problems += _Source(specs, source, scope(specs, name, raw), raw).problems()
    for view in specs.views.values():
        if view.source in raw:
            problems += _View(specs, view, scope(specs, view.source, raw)).problems()
    if problems:
        raise SpecError(list(dict.fromkeys(problems)))


class _Use:
    """Uses of columns by one document."""

    def __init__(self, origin: Origin, source: str, columns: Scope, *, joined: bool) -> None:
        self.origin = origin
        self.source = source
        self.types = columns.joined if joined else columns.own
        self.elsewhere = {} if joined else columns.joined
        self.ambiguous = columns.ambiguous if joined else {}

    def column(self, path: Path, name: str, *, at_key: bool = False) -> Iterator[Problem]:
        """Nothing where the source has one column of that name."""
        text = self._trouble(name)
        if text:
            yield self.origin.problem(path, text, at_key=at_key)

    def typed(self, path: Path, name: str, wanted: Iterable[LogicalType], why: str, *, at_key: bool = False
    ) -> Iterator[Problem]:  # fmt: skip
        """As `column`, and its type must be one of `wanted`."""
        found = list(self.column(path, name, at_key=at_key))
        yield from found
        if not found and self.types[name] not in wanted:
            cast = ""
            if self.types[name] == "string" and set(_NUMBERS) & set(wanted):
                cast = f" (if it holds numbers, add clean: cast: {{{name}: float}} to the source)"
            text = f"column {name!r} is {self.types[name]}, but {why}{cast}"
            yield self.origin.problem(path, text, at_key=at_key)

    def condition(self, path: Path, condition: Condition) -> Iterator[Problem]:
        """Every column of a condition, and its types."""
        found = False
        for name in condition.columns:
            text = self._trouble(name)
            found |= bool(text)
            if text and f'"{name}"' in condition.text:
                text += " (double quotes make a column; text goes in single quotes)"
            if text:
                yield self.origin.problem(path, text)
        if not found:
            try:
                resolve(condition.tree, self.types)
            except ValueError as error:
                yield self.origin.problem(path, str(error))

    def _trouble(self, name: str) -> str:
        if name.startswith("__"):
            return f"column {name!r}: names that start with __ are reserved"
        if name in self.ambiguous:
            where = self.ambiguous[name]
            if len(where) == 1:
                return (f"{name!r} is ambiguous: the source {where[0]!r} has a column of this name and declares "
                        "another as its time; rename the column")  # fmt: skip
            return f"{name!r} is ambiguous: the sources {' and '.join(where)} have it; rename the column in one of them"
        if name in self.types:
            return ""
        if name in self.elsewhere:
            return (
                f"column {name!r} comes from a lookup, and cleaning happens before lookups: clean it in its own source"
            )
        return f"the source {self.source!r} has no column {name!r}: {did_you_mean(name, self.types)}"


class _Source:
    """Checks of one source document."""

    def __init__(self, specs: Specs, source: Source, columns: Scope, raw: RawColumns) -> None:
        self.specs = specs
        self.source = source
        self.raw = raw
        self.use = _Use(specs.origin("source", source.source), source.source, columns, joined=False)
        self.written = _Use(self.use.origin, source.source, Scope(raw[source.source], {}, {}), joined=False)

    def problems(self) -> Iterator[Problem]:
        """Every problem, in no order."""
        yield from self._casts()
        yield from self._times()
        yield from self._cleaning()
        yield from self._keys()
        yield from self._lookups()

    def _casts(self) -> Iterator[Problem]:
        for name, kind in self.source.clean.cast.items():
            allowed: tuple[LogicalType, ...] = _CASTS.get(kind, ("int", "float", "string", "bool", "timestamp"))
            if kind == "timestamp":
                allowed = (*allowed, "int")
            elif kind == "int":
                allowed = ("int", "float", "bool", "string")
            why = f"it cannot be cast to {kind}"
            yield from self.written.typed(("clean", "cast", name), name, allowed, why, at_key=True)

    def _times(self) -> Iterator[Problem]:
        for key in ("event_timestamp", "created_timestamp"):
            name = getattr(self.source, key)
            if name is None or self.source.clean.cast.get(name) == "timestamp":
                continue
            why = f"{key} must be a timestamp or ISO 8601 text (or cast: an int is microseconds since 1970)"
            yield from self.written.typed((key,), name, ("timestamp", "string"), why)

    def _cleaning(self) -> Iterator[Problem]:
        clean = self.source.clean
        for name in clean.text:
            why = "text cleaning is for strings"
            yield from self.use.typed(("clean", "text", name), name, ("string",), why, at_key=True)
        for name, rule in clean.missing.items():
            path: Path = ("clean", "missing", name)
            found = list(self.use.column(path, name, at_key=True))
            yield from found
            if not found and isinstance(rule, Missing) and not _fits(rule.fill, self.use.types[name]):
                yield self.use.origin.problem((*path, "fill"), _misfit(rule.fill, self.use.types[name]))
        for name, limits in clean.range.items():
            path = ("clean", "range", name)
            yield from self.use.typed(path, name, _NUMBERS, "a range is for numbers", at_key=True)
            for bound in ("min", "max"):
                value = getattr(limits, bound)
                if self.use.types.get(name) == "int" and isinstance(value, float) and not value.is_integer():
                    yield self.use.origin.problem((*path, bound), _misfit(value, "int"))
        for key in ("quarantine", "drop"):
            for i, condition in enumerate(getattr(clean, key)):
                yield from self.use.condition(("clean", key, i), condition)
        for i, name in enumerate(clean.drop_duplicates):
            yield from self.use.column(("clean", "drop_duplicates", i), name)
        for i, name in enumerate(self.source.tie_break):
            yield from self.use.column(("tie_break", i), name)

    def _keys(self) -> Iterator[Problem]:
        """A source that names its entity has its join keys, and of its types."""
        entity = self.specs.entities.get(self.source.entity or "")
        for key, kind in entity.join_keys.items() if entity else ():
            yield from join_key(self.use, ("entity",), key, kind)

    def _lookups(self) -> Iterator[Problem]:
        for dimension in self.source.lookup:
            path: Path = ("lookup", dimension)
            if dimension not in self.raw or dimension not in self.specs.sources:
                continue
            theirs = _Use(self.use.origin, dimension, scope(self.specs, dimension, self.raw), joined=False)
            for own, other in self.source.lookup_pairs(dimension):
                found = [*self.use.column(path, own), *theirs.column(path, other)]
                yield from found
                if not found and self.use.types[own] != theirs.types[other]:
                    text = (f"column {own!r} of {self.source.source!r} is {self.use.types[own]}, {other!r} of "
                            f"{dimension!r} is {theirs.types[other]}: cast one of them (clean: cast)")  # fmt: skip
                    yield self.use.origin.problem(path, text)


def join_key(use: _Use, path: Path, key: str, kind: LogicalType) -> Iterator[Problem]:
    """A join key must be a column of the source itself, of the entity's type."""
    if key in use.elsewhere and key not in use.types:
        text = f"the join key {key!r} comes from a lookup: it must be a column of the source {use.source!r} itself"
        yield use.origin.problem(path, text)
        return
    for problem in use.column(path, key):
        yield use.origin.problem(path, f"the join key is missing: {problem.message}")
    if key in use.types and use.types[key] != kind:
        text = (f"the join key {key!r} is {use.types[key]} in the source {use.source!r}, but {kind} in the entity: "
                f"add clean: cast: {{{key}: {kind}}} to the source, or change the entity")  # fmt: skip
        yield use.origin.problem(path, text)


class _View:
    """Checks of one feature view against the columns of its source."""

    def __init__(self, specs: Specs, view: FeatureView, columns: Scope) -> None:
        self.specs = specs
        self.view = view
        origin = specs.origin("feature_view", view.feature_view)
        self.use = _Use(origin, view.source, columns, joined=True)
        self.own = _Use(origin, view.source, columns, joined=False)

    def problems(self) -> Iterator[Problem]:
        """Every problem, in no order."""
        if self.view.entity in self.specs.entities:
            for key, kind in self.specs.entities[self.view.entity].join_keys.items():
                yield from join_key(self.own, ("source",), key, kind)
        for name, feature in self.view.features.items():
            found = list(self._feature(("features", name), feature))
            yield from found
            if not found:
                yield from self._default(("features", name), feature)

    def _feature(self, path: Path, feature: FeatureBase) -> Iterator[Problem]:
        if feature.where is not None:
            yield from self.use.condition((*path, "where"), feature.where)
        if isinstance(feature, Embed):
            for name in feature.embed.columns:
                yield from self.use.column((*path, "embed"), name)
            weight = feature.pooling.weight
            if weight is not None:
                why = "a weight is a number"
                yield from self.use.typed((*path, "pool", "mean", "weight"), weight, _NUMBERS, why)
            return
        if feature.column is None:
            return
        here = (*path, "of" if feature.kind == "top" else feature.kind)
        if feature.kind in ("sum", "mean", "std") or isinstance(feature, Share):
            yield from self.use.typed(here, feature.column, _NUMBERS, f"{feature.kind} takes numbers")
        else:
            yield from self.use.column(here, feature.column)

    def _default(self, path: Path, feature: FeatureBase) -> Iterator[Problem]:
        value = getattr(feature, "default", None)
        if value is None:
            return
        base = type_of(feature, self.use.types, {}).base
        items = value if isinstance(value, tuple) else (value,)
        for i, item in enumerate(items):
            if not _fits(item, base):
                here: Path = (*path, "default", i) if isinstance(value, tuple) else (*path, "default")
                yield self.use.origin.problem(here, _misfit(item, base))


def _fits(value: object, kind: LogicalType) -> bool:
    accepts: dict[LogicalType, Callable[[object], bool]] = {
        "bool": lambda v: isinstance(v, bool),
        "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
        "float": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
        "string": lambda v: isinstance(v, str),
        "timestamp": _is_instant,
    }
    return accepts[kind](value)


def _is_instant(value: object) -> bool:
    try:
        parse_instant(value)
    except ValueError:
        return False
    return isinstance(value, str)


def _misfit(value: object, kind: LogicalType) -> str:
    example = {"timestamp": " such as 2026-01-31T00:00:00Z", "int": " (a whole number)"}.get(kind, "")
    quote = "; quote it" if kind == "string" else ""
    return f"found {value!r}, expected {kind}{example}: the column is {kind}{quote}"
