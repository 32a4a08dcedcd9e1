"""What feature kinds have in common."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from limner.language.expressions import Condition
from limner.language.places import Path
from limner.language.scalars import Bool, Filled, Text
from limner.language.types import NUMBERS, LogicalType, OutputType
from limner.language.windows import Period, Window, Written, WrittenWindow, resolve, text_of

Fault = tuple[Path, str, bool]
"""(path below the feature, message, whether it is about the key rather than the value)."""


def repeated(path: Path, items: Iterable[Hashable], what: str) -> Iterator[Fault]:
    """A fault for each item of a list that stood in it before; `what` an item is."""
    seen: dict[Hashable, int] = {}
    for i, item in enumerate(items):
        first = seen.setdefault(item, i) + 1
        if first <= i:
            text = f"names the same {what} twice: {getattr(item, 'text', item)} is item {first} of the list"
            yield (*path, i), text, False


Windows = Annotated[
    Annotated[WrittenWindow, Tag("<one>")] | Annotated[tuple[WrittenWindow, ...], Field(min_length=1), Tag("<list>")],
    Discriminator(lambda value: "<list>" if isinstance(value, list | tuple) else "<one>"),
]


@dataclass(frozen=True)
class Read:
    """A column that a feature reads: the key that names it, and which types it may have (None: any).

    `text`: only as part of a text, which is written before features are computed.
    """

    path: Path
    column: str
    types: tuple[LogicalType, ...] | None = None
    why: str = ""
    text: bool = False


@dataclass(frozen=True)
class Operand:
    """A feature that a derived one is made of: the key that names it, its name as written, which types it may have.

    `vector`: it must be a vector; otherwise it is one value (`types` None: of any type); None: it may be either.
    """

    path: Path
    name: str
    types: tuple[LogicalType, ...] | None = None
    vector: bool | None = False

    @property
    def key(self) -> str:
        """The key that names it."""
        return [part for part in self.path if isinstance(part, str)][-1]

    @property
    def expected(self) -> str:
        """What it must be, in words."""
        if self.vector:
            return "a vector"
        if self.vector is None:
            return "numbers and vectors"
        return "numbers" if self.types is not None and set(NUMBERS) <= set(self.types) else "one value"


class FeatureBase(BaseModel):
    """What every kind may carry."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]
    star: ClassVar[bool] = False  # whether `*`, all rows, may stand for the column
    takes: ClassVar[tuple[LogicalType, ...] | None] = None  # types of the column or operand; None: any

    where: Condition | None = None
    from_: Filled | None = Field(default=None, alias="from")
    hidden: Bool = False
    description: Text = ""

    @property
    def written(self) -> tuple[Written, ...]:
        """The windows asked for, as written; one lifetime window where there is none."""
        return ("lifetime",)

    def windows(self, zone: str) -> tuple[Window, ...]:
        """The windows asked for, where local time is that of `zone`."""
        return tuple(resolve(written, zone) for written in self.written)

    def looks(self, window: Window) -> tuple[Window, ...]:
        """The windows whose rows a value over `window` is made of."""
        return (window,)

    @property
    def column_key(self) -> str:
        """The key that names the column."""
        return self.kind

    @property
    def column(self) -> str | None:
        """The column the kind reads, None for `*` and for texts."""
        value = getattr(self, self.column_key)
        return value if isinstance(value, str) and value != "*" else None

    def reads(self) -> tuple[Read, ...]:
        """The columns the kind reads, its condition's aside."""
        if self.column is None:
            return ()
        why = f"{self.kind} takes numbers" if self.takes == NUMBERS else ""
        return (Read((self.column_key,), self.column, self.takes, why),)

    def operands(self) -> tuple[Operand, ...]:
        """The features of the view it is made of; none where it is made of rows."""
        return ()

    def constants(self) -> Iterator[tuple[Path, object, str]]:
        """Values that must fit a column: (the keys that lead to each, the value, the column)."""
        yield from ()

    def columns(self) -> tuple[str, ...]:
        """All columns the feature reads as such, each once; those of texts are not among them."""
        own = (read.column for read in self.reads() if not read.text)
        return tuple(dict.fromkeys((*own, *(self.where.columns if self.where is not None else ()))))

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """The type of its values: the column's, if the kind does not say otherwise."""
        return OutputType(columns[self.column or ""])

    @property
    def turns(self) -> tuple[int, ...]:
        """Instants (µs) from which on its values may be others though nothing happens: something learned speaks."""
        return ()

    @property
    def order_matters(self) -> bool:
        """Whether it tells one of several tied rows from another."""
        return False

    @property
    def zoned(self) -> bool:
        """Whether its values depend on a time zone."""
        return any(isinstance(written, Period) for written in self.written)

    def names(self, name: str) -> tuple[str, ...]:
        """The output names of the feature `name`, one a window."""
        return (name,)

    def expand(self, name: str) -> tuple[tuple[str, "FeatureBase"], ...]:
        """The plain features that this one is short for, by name: itself, unless the kind is a shorthand."""
        return ((name, self),)

    def faults(self) -> Iterator[Fault]:
        """Rules of the kind that no type can say, broken by this feature."""
        if not self.star and getattr(self, self.column_key, None) == "*":
            text = f'{self.kind} needs a column: "*" is for count and share'
            yield (self.column_key,), text, False


class Windowed(FeatureBase):
    """A kind that looks at a window: `over: 7d` names one feature, `over: [7d, 30d]` one a window."""

    over: Windows = "lifetime"

    @property
    def written(self) -> tuple[Written, ...]:
        """The windows asked for, as written."""
        return self.over if isinstance(self.over, tuple) else (self.over,)

    def names(self, name: str) -> tuple[str, ...]:
        """`name` itself where `over` is one window, else `name_7d` and so on."""
        if not isinstance(self.over, tuple):
            return (name,)
        return tuple(f"{name}_{text_of(window)}" for window in self.over)


class OfNumbers(Windowed):
    """A kind that takes a number column and gives a float."""

    takes = NUMBERS

    def output_type(self, columns: Mapping[str, LogicalType], dims: Mapping[str, int]) -> OutputType:
        """A float."""
        return OutputType("float")
