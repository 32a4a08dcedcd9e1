"""A request view as it is carried out: typed, self-contained, plain data that the online store and Feast can keep.

Reading one needs neither specs nor pydantic: a program is what `limner apply` made of them.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from typing import Any

from limner.workers.online.pack import Column


@dataclass(frozen=True)
class TextEncoder:
    """What turns a text of a request into a vector: the documents behind an encoder, and its fingerprint."""

    name: str
    fingerprint: str
    dim: int
    prefix: str
    documents: str  # JSON of a closure that holds the encoder


@dataclass(frozen=True)
class Operand:
    """A feature of a view that a request view reads; `column` is named after the feature."""

    view: str
    column: Column

    @property
    def name(self) -> str:
        """As expressions call it: `view.feature`."""
        return f"{self.view}.{self.column.name}"


@dataclass(frozen=True)
class Age:
    """The time from `of` to `at`, in units of `unit` microseconds; negative where `of` is later."""

    name: str
    of: str
    at: str
    unit: int
    kind: str = "age"


@dataclass(frozen=True)
class Cosine:
    """The cosine of two vectors; with an `encoder`, `other` is a text that it encodes first."""

    name: str
    of: str
    other: str
    encoder: TextEncoder | None = None
    kind: str = "cosine"


@dataclass(frozen=True)
class Calculation:
    """An expression, as it was written, and the names it reads."""

    name: str
    expression: str
    columns: tuple[str, ...]
    kind: str = "expression"


Step = Age | Cosine | Calculation
_STEPS: dict[str, type[Step]] = {"age": Age, "cosine": Cosine, "expression": Calculation}


@dataclass(frozen=True)
class Program:
    """One request view: what a request must bring, what is read of views, and the steps, one a feature.

    A step reads operands (`view.feature`), fields of the request and the features of earlier steps by their names.
    `features` are the types of what the steps give.
    """

    name: str
    request: tuple[Column, ...]
    operands: tuple[Operand, ...]
    features: tuple[Column, ...]
    steps: tuple[Step, ...]

    @cached_property
    def views(self) -> dict[str, list[str]]:
        """View -> the features that are read of it."""
        found: dict[str, list[str]] = {}
        for operand in self.operands:
            found.setdefault(operand.view, []).append(operand.column.name)
        return found

    @cached_property
    def text(self) -> str:
        """JSON that `from_json` reads back; equal programs have equal texts."""
        return json.dumps(asdict(self), separators=(",", ":"), ensure_ascii=False)

    @property
    def identity(self) -> str:
        """sha256 (hex) of all that decides its values, the views' own fingerprints aside."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @classmethod
    @lru_cache(maxsize=256)  # a reader meets the same few again and again
    def from_json(cls, text: str) -> "Program":
        """The program a text describes."""
        raw = json.loads(text)
        return cls(
            name=raw["name"],
            request=tuple(Column(**column) for column in raw["request"]),
            operands=tuple(Operand(each["view"], Column(**each["column"])) for each in raw["operands"]),
            features=tuple(Column(**column) for column in raw["features"]),
            steps=tuple(map(_step, raw["steps"])),
        )


def reads(step: Step) -> Iterator[str]:
    """The names a step reads."""
    match step:
        case Age():
            yield from (step.of, step.at)
        case Cosine():
            yield from (step.of, step.other)
        case Calculation():
            yield from step.columns


def _step(raw: dict[str, Any]) -> Step:
    lists = {key: tuple(value) for key, value in raw.items() if isinstance(value, list)}
    encoders = {key: TextEncoder(**value) for key, value in raw.items() if isinstance(value, dict)}
    return _STEPS[raw["kind"]](**{**raw, **lists, **encoders})
