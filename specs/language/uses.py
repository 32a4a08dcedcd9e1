"""Uses of columns by one document: that a column is there, that it is one, and that its type fits."""

from collections.abc import Callable, Iterable, Iterator

from limner.language.condition_types import resolve
from limner.language.durations import parse_instant
from limner.language.errors import Problem
from limner.language.expressions import Condition
from limner.language.places import Origin, Path
from limner.language.scope import Scope
from limner.language.suggest import did_you_mean
from limner.language.types import NUMBERS as NUMBERS
from limner.language.types import LogicalType


class Use:
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
            if self.types[name] == "string" and set(NUMBERS) & set(wanted):
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


def join_key(use: Use, path: Path, key: str, kind: LogicalType) -> Iterator[Problem]:
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


def fits(value: object, kind: LogicalType) -> bool:
    """Whether a value of a spec can stand in a column of type `kind`."""
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


def misfit(value: object, kind: LogicalType) -> str:
    """The text of an error about a value that does not fit."""
    example = {"timestamp": " such as 2026-01-31T00:00:00Z", "int": " (a whole number)"}.get(kind, "")
    quote = "; quote it" if kind == "string" else ""
    return f"found {value!r}, expected {kind}{example}: the column is {kind}{quote}"
