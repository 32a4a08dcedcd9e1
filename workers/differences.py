"""What differs between values that were found and those that are right, by feature and with an example of each."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

LONG = 8  # items of a list, after which only some are told
_SHOWN = 4


@dataclass(frozen=True)
class Example:
    """One value of an entity (join keys by name) that was found, and the right one; None: null, or no row at all.

    `at`: the event timestamp (µs UTC) of the right row; of the one that was found, where there is no right one.
    """

    entity: Mapping[str, Any]
    at: int
    found: Any
    right: Any


@dataclass
class Differences:
    """How many of the `compared` rows differ by feature; `missing` should be there, `strange` should not.

    `entities` have some difference. Each row that differs counts once in `rows`. Examples are by feature, and those of
    rows that are missing or strange under these words.
    """

    compared: int = 0
    rows: int = 0
    entities: int = 0
    missing: int = 0
    strange: int = 0
    features: Counter[str] = field(default_factory=Counter)
    examples: dict[str, Example] = field(default_factory=dict)

    @property
    def none(self) -> bool:
        """Whether there is no difference at all."""
        return not self.rows

    @property
    def counts(self) -> dict[str, int]:
        """Rows by what is wrong with them: features, most frequent first, then the words `missing` and `strange`."""
        some = dict(sorted(self.features.items(), key=lambda each: (-each[1], each[0])))
        more = {"missing": self.missing, "strange": self.strange}
        return some | {word: count for word, count in more.items() if count}

    def to_json(self) -> dict[str, Any]:
        """JSON values for the ledger; only how many were compared where nothing differs."""
        if self.none:
            return {"compared": self.compared, "rows": 0}
        return {
            "compared": self.compared,
            "rows": self.rows,
            "entities": self.entities,
            "missing": self.missing,
            "strange": self.strange,
            "features": dict(sorted(self.features.items())),
            "examples": {name: example_json(each) for name, each in sorted(self.examples.items())},
        }

    def told(self) -> str:
        """What was wrong in one line, with the first example: `3 of 120 rows (2 entities): spend 2, missing 1; ...`."""
        words = ", ".join(f"{name} {count:,}" for name, count in self.counts.items())
        line = f"{self.rows:,} of {self.compared:,} rows ({self.entities:,} entities): {words}"
        name = next((name for name in self.counts if name in self.examples), None)
        if name is None:
            return line
        example = self.examples[name]
        found, right = pair(example.found, example.right)
        entity = ", ".join(f"{key} {value}" for key, value in example.entity.items())
        what = name if name in self.features else "the row"
        return f"{line}; {entity} at {_moment(example.at)}: {what} was {found}, is {right}"


def example_json(example: Example) -> dict[str, Any]:
    """An example as JSON values; of long lists the part around the first item that differs."""
    found, right = pair(example.found, example.right)
    at = _moment(example.at)
    return {"entity": dict(example.entity), "at": at, "found": found, "right": right}


def pair(found: Any, right: Any) -> tuple[Any, Any]:
    """Two values as JSON has them, long lists cut where they begin to differ: a person must see the difference."""
    first = 0
    if isinstance(found, list) and isinstance(right, list):
        same = (a == b or (a != a and b != b) for a, b in zip(found, right, strict=False))  # noqa: PLR0124 - NaN
        first = next((place for place, alike in enumerate(same) if not alike), min(len(found), len(right)))
    return _plain(found, first), _plain(right, first)


def _moment(instant: int) -> str:
    """µs since 1970 UTC in ISO 8601."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant)).isoformat()


def _plain(value: Any, first: int) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case list() if len(value) > LONG:
            some = ", ".join(str(_plain(item, 0)) for item in value[first : first + _SHOWN])
            return f"{len(value)} items, from {first}: {some}"
        case list():
            return [_plain(item, 0) for item in value]
        case dict():
            return {str(key): _plain(item, 0) for key, item in value.items()}
        case float() if value != value or abs(value) == float("inf"):  # noqa: PLR0124 - NaN; JSON has neither
            return str(value)
        case _:
            return value
