"""One source held against its columns: casts, times, cleaning, join keys and lookups."""

from collections.abc import Iterator

from limner.language.errors import Problem
from limner.language.identity import entity_keys
from limner.language.models import LogicalType, Missing, Source
from limner.language.places import Path
from limner.language.repo import Specs
from limner.language.scope import RawColumns, Scope, scope
from limner.language.suggest import did_you_mean
from limner.language.uses import NUMBERS, Use, fits, misfit

_CASTS: dict[LogicalType, tuple[LogicalType, ...]] = {
    "timestamp": ("timestamp", "string"),
    "bool": ("bool", "int", "float", "string"),
    "float": ("float", "int", "bool", "string"),
}


class SourceColumns:
    """Checks of one source document."""

    def __init__(self, specs: Specs, source: Source, columns: Scope, raw: RawColumns) -> None:
        self.specs = specs
        self.source = source
        self.raw = raw
        self.use = Use(specs.origin("source", source.source), source.source, columns, joined=False)
        self.written = Use(self.use.origin, source.source, Scope(raw[source.source], {}, {}), joined=False)

    def problems(self) -> Iterator[Problem]:
        """Every problem, in no order."""
        yield from self._renames()
        yield from self._casts()
        yield from self._times()
        yield from self._cleaning()
        yield from self._keys()
        yield from self._lookups()

    def _renames(self) -> Iterator[Problem]:
        """Every renamed column is there under its old name, and every partition key is a column."""
        written = {self.source.rename.get(name, name) for name in self.raw[self.source.source]}
        for new, old in self.source.rename.items():
            if old not in written:
                there = written - set(self.source.rename)
                text = f"the source {self.source.source!r} has no column {old!r}: {did_you_mean(old, there)}"
                yield self.use.origin.problem(("rename", new), text)
        for key in self.source.partitions:
            yield from self.use.column(("partitions", key), key, at_key=True)
        if self.source.where is not None:
            yield from self.use.condition(("where",), self.source.where)

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
            why = f"{key} must be a timestamp or ISO 8601 text (clean: cast: {{{name}: timestamp}} reads a Unix time)"
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
            if not found and isinstance(rule, Missing) and not fits(rule.fill, self.use.types[name]):
                yield self.use.origin.problem((*path, "fill"), misfit(rule.fill, self.use.types[name]))
        for name, limits in clean.range.items():
            path = ("clean", "range", name)
            yield from self.use.typed(path, name, NUMBERS, "a range is for numbers", at_key=True)
            for bound in ("min", "max"):
                value = getattr(limits, bound)
                if self.use.types.get(name) == "int" and isinstance(value, float) and not value.is_integer():
                    yield self.use.origin.problem((*path, bound), misfit(value, "int"))
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
        if entity is not None:
            yield from entity_keys(self.specs, self.use, ("entity",), entity, self.raw)

    def _lookups(self) -> Iterator[Problem]:
        """Both sides of a lookup, and of an identity map, have the columns that are compared, of one type."""
        joined = [(("lookup", name), name, self.source.lookup_pairs(name)) for name in self.source.lookup]
        joined += [(("identity", name), name, self.source.identity_pairs(name)) for name in self.source.identity]
        for path, dimension, pairs in joined:
            theirs = Use(self.use.origin, dimension, scope(self.specs, dimension, self.raw), joined=False)
            for own, other in pairs:
                found = [*self.use.column(path, own), *theirs.column(path, other)]
                yield from found
                if not found and self.use.types[own] != theirs.types[other]:
                    text = (f"column {own!r} of {self.source.source!r} is {self.use.types[own]}, {other!r} of "
                            f"{dimension!r} is {theirs.types[other]}: cast one of them (clean: cast)")  # fmt: skip
                    yield self.use.origin.problem(path, text)
