"""Windows: which rows a value at an instant `q` looks at, as they are written and as they are computed with.

All instants and lengths are microseconds, UTC. A row also has to be known at `q`, whatever the window.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import PlainValidator, WithJsonSchema

from limner.language.durations import MICROS, Duration
from limner.language.scalars import found
from limner.language.suggest import nearest

Unit = Literal["day", "week", "month", "quarter", "year"]
_DAY = MICROS["d"]
# Never less than the longest such period of any zone: where the date line moved, a date lasted two days.
LONGEST: dict[Unit, int] = {
    "day": 2 * _DAY,
    "week": 9 * _DAY,
    "month": 33 * _DAY,
    "quarter": 94 * _DAY,
    "year": 368 * _DAY,
}


@dataclass(frozen=True)
class Sliding:
    """Rows with `q - shift - width <= event time < q - shift`."""

    width: int
    shift: int = 0

    @property
    def reach(self) -> int:
        """How far before `q` a row can lie."""
        return self.width + self.shift

    @property
    def before(self) -> "Sliding":
        """The window of this length that ends where this one begins."""
        return Sliding(self.width, self.shift + self.width)


@dataclass(frozen=True)
class Calendar:
    """Rows of the local day, week, month, quarter or year that holds `q` (`back` 0), or of the one `back` before it."""

    unit: Unit
    back: int
    zone: str

    @property
    def reach(self) -> int:
        """How far before `q` a row can lie: a bound."""
        return LONGEST[self.unit] * (self.back + 1)

    @property
    def before(self) -> "Calendar":
        """The whole period before this one."""
        return Calendar(self.unit, self.back + 1, self.zone)


@dataclass(frozen=True)
class Lifetime:
    """All rows."""

    reach: None = None
    before: None = None


@dataclass(frozen=True)
class Since:
    """The rows of another window, but none at a `q` before the instant `since`: nothing was learned until then."""

    window: Sliding | Calendar | Lifetime
    since: int

    @property
    def reach(self) -> int | None:
        """How far before `q` a row can lie."""
        return self.window.reach

    @property
    def before(self) -> "Since | None":
        """The same of the window before."""
        before = self.window.before
        return None if before is None else Since(before, self.since)


Window = Sliding | Calendar | Lifetime | Since


@dataclass(frozen=True)
class Period:
    """A calendar window as written: `this_month`, `last_week`."""

    text: str

    @property
    def unit(self) -> Unit:
        """The length of the period."""
        return next(unit for unit in LONGEST if self.text.endswith(unit))

    @property
    def back(self) -> int:
        """How many periods before the one that holds the instant."""
        return 1 if self.text.startswith("last_") else 0


PERIODS = tuple(f"{which}_{unit}" for unit in LONGEST for which in ("this", "last"))
Written = Literal["lifetime"] | Duration | Period


def resolve(written: Written, zone: str) -> Window:
    """The window that is meant, where local time is that of `zone`."""
    if isinstance(written, Duration):
        return Sliding(written.micros)
    return Calendar(written.unit, written.back, zone) if isinstance(written, Period) else Lifetime()


def text_of(written: Written) -> str:
    """The window as features are named after it."""
    return written if isinstance(written, str) else written.text


def _window(value: Any) -> Any:
    if isinstance(value, Duration | Period) or value == "lifetime":
        return value
    if value in PERIODS:
        return Period(value)
    try:
        return Duration(value)
    except ValueError:
        words = (*PERIODS, "lifetime")
        close = nearest(value, words) if isinstance(value, str) and not re.match(r"[-+]?[0-9]", value) else None
        advice = f": did you mean {close!r}?" if close else ""
        text = f"found {found(value)}, expected a window such as 7d, 12h, this_month, last_week or lifetime{advice}"
        raise ValueError(text) from None


_SCHEMA = WithJsonSchema(
    {
        "anyOf": [
            {"const": "lifetime"},
            {"enum": [*PERIODS]},
            {"type": "string", "pattern": "^[1-9][0-9]{0,6}[smhdw]$", "examples": ["7d"]},
        ]
    }
)
if TYPE_CHECKING:
    WrittenWindow = Written
else:  # Any: the validator does it all, and editors shall not see how a period is held
    WrittenWindow = Annotated[Any, PlainValidator(_window), _SCHEMA]
