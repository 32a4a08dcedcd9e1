"""What may become of a row that is not kept: numbered, so that a table carries an integer and not a text a row."""

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["quarantine", "drop"]


@dataclass
class Fates:
    """Reasons in the order they were given out; number 1 is the first. The first fate of a row is its fate."""

    reasons: list[tuple[Kind, str]] = field(default_factory=list)

    def number(self, kind: Kind, reason: str) -> int:
        """The number of a reason, a new one where it has none yet."""
        if (kind, reason) not in self.reasons:
            self.reasons.append((kind, reason))
        return self.reasons.index((kind, reason)) + 1

    def of(self, kind: Kind) -> dict[int, str]:
        """Reasons of one kind by number."""
        return {number: reason for number, (each, reason) in enumerate(self.reasons, 1) if each == kind}
