"""What a benchmark found: what was measured, the ratios between measurements, and the targets they are held to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

Better = Literal["more", "less"]


@dataclass(frozen=True)
class Measured:
    """One contender: the median over its rounds, and the extremes, in `unit`."""

    name: str
    unit: str
    value: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True)
class Ratio:
    """One contender over another in the same round: the median over the rounds. `target` is a bound."""

    name: str
    value: float
    low: float
    high: float
    rounds: int
    better: Better = "more"
    target: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.better == "more" else self.value <= self.target


@dataclass
class Report:
    """One run of one benchmark. `setting` is what it was asked to do: sizes, not results."""

    benchmark: str
    setting: Mapping[str, Any]
    measured: list[Measured] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    command: str = ""
    seconds: float = 0.0
    machine: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    def measure(self, name: str, unit: str, values: Sequence[float]) -> None:
        """Add a contender's rounds, in `unit`."""
        self.measured.append(Measured(name, unit, median(values), min(values), max(values), len(values)))

    def compare(
        self,
        name: str,
        over: Sequence[float],
        under: Sequence[float],
        *,
        target: float | None = None,
        better: Better = "more",
    ) -> None:
        """Add the ratio over / under, round by round: rounds of one index were measured one after the other."""
        values = [one / other for one, other in zip(over, under, strict=True)]
        self.ratios.append(Ratio(name, median(values), min(values), max(values), len(values), better, target))

    def to_json(self) -> dict[str, Any]:
        """Plain data; each ratio says whether it met its target."""
        found = asdict(self)
        for row, ratio in zip(found["ratios"], self.ratios, strict=True):
            row["met"] = ratio.met
        return found
