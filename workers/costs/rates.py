"""How fast this ledger's own runs were: the rates that an estimate is made with, and from how many runs."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from limner.workers.costs.measure import KEY, Cost

_RUNS = 200  # the newest ones are looked at


@dataclass(frozen=True)
class Rate:
    """So much of one thing for one of another, as the median of `runs` runs of `whose`."""

    value: float
    runs: int
    whose: str

    @property
    def origin(self) -> str:
        """Where it is from, in words."""
        return f"{self.runs} run{'s' if self.runs > 1 else ''} of {self.whose}"


@dataclass(frozen=True)
class Run:
    """What one view of one run cost."""

    view: str
    cost: Cost


@dataclass(frozen=True)
class Rates:
    """The runs of a ledger, newest first."""

    runs: tuple[Run, ...] = ()

    def seconds_per_row(self, view: str, sources: Iterable[str]) -> Rate | None:
        """Seconds a row of the source read, all but encoding."""
        return self._like(view, sources, lambda cost: (cost.seconds, cost.rows))

    def history_rows_per_row(self, view: str, sources: Iterable[str]) -> Rate | None:
        """Rows of history a row of the source read."""
        return self._like(view, sources, lambda cost: (cost.history_rows, cost.rows))

    def history_density(self, view: str, sources: Iterable[str]) -> Rate | None:
        """Bytes in a history for each byte of its rows' width."""
        return self._like(view, sources, lambda cost: (cost.history_bytes, cost.history_rows * cost.width))

    def online_density(self, view: str, sources: Iterable[str]) -> Rate | None:
        """Bytes online for each byte of the rows' width."""
        return self._like(view, sources, lambda cost: (cost.online_bytes or 0, (cost.online_rows or 0) * cost.width))

    def entities(self, entity: str) -> Rate | None:
        """How many entities of a kind have profiles: the most that a view had."""
        found = [run.cost.online_rows for run in self.runs if run.cost.entity == entity and run.cost.online_rows]
        return Rate(max(found), len(found), f"views of {entity}") if found else None

    def encoding(self, fingerprint: str) -> tuple[Rate, str] | None:
        """Seconds a character of an encoder (by fingerprint), and the device (gpu, cpu or "") of its newest run."""
        found = [each for run in self.runs for each in run.cost.encoded.values() if each.fingerprint == fingerprint]
        rate = _rate([(each.seconds, each.characters) for each in found], "this encoder")
        return None if rate is None else (rate, found[0].device)

    def _like(self, view: str, sources: Iterable[str], of: Callable[[Cost], tuple[float, float]]) -> Rate | None:
        """From runs of the view itself, else of views of the same sources, else of all views."""
        wanted = set(sources)
        kinds: list[tuple[str, list[Run]]] = [
            ("this view", [run for run in self.runs if run.view == view]),
            ("views of the same source", [run for run in self.runs if wanted & set(run.cost.sources)]),
            ("other views", list(self.runs)),
        ]
        for whose, runs in kinds:
            rate = _rate([of(run.cost) for run in runs], whose)
            if rate is not None:
                return rate
        return None


def _rate(pairs: Iterable[tuple[float, float]], whose: str) -> Rate | None:
    """The median of runs that were at least half as large as the largest: small ones tell how long starting takes."""
    counted = [(much, of) for much, of in pairs if of > 0 and much > 0]
    if not counted:
        return None
    least = max(of for _, of in counted) / 2
    large = [much / of for much, of in counted if of >= least]
    return Rate(median(large), len(large), whose)


def read_rates(url: str) -> Rates:
    """The rates of the ledger at `url`; none where there is no ledger yet. LimnerError if it cannot be read."""
    from pathlib import Path

    from limner.workers.ledger import Ledger

    file = url.removeprefix("sqlite:///")
    if file != url and not Path(file).exists():
        return Rates()
    ledger = Ledger(url)
    try:
        runs = ledger.runs(_RUNS)
    finally:
        ledger.close()
    return Rates(tuple(each for run in runs for each in _costs(run.summary)))


def _costs(summary: Mapping[str, Any]) -> Iterable[Run]:
    for view, part in summary.items():
        if isinstance(part, dict) and KEY in part:
            yield Run(view, Cost.from_json(part[KEY]))
