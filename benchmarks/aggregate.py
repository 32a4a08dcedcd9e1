"""Events turned into windowed history and online values, beside Feast's own local engine.

Contenders, in turns (a Ray that is up, a new Feast store each time):

- ours: `materialize` of 90 daily instants (history and online store), then of the next single day, for a view of twenty
  scalars over exact counts and sums, and for one with order statistics, distinct values and lists, too. The *scan-and-
  window stage* is the part from opening the source to the last shard's history on disk: reading, cleaning, sharding,
  sorting, computing, writing; without Feast, the registry, the ledger and the online store. Its events are the rows
  read (180 days of them), its cores those of the engine.
- theirs: the same twenty scalars as `limner.benchmarks.feast_local` says: one instant a run, written online only.
  Ninety instants are ninety times the run that was measured. Both write to SQLite; asked online for the same users they
  must answer alike (floats within 1e-9 of another: pandas rounds after each addition, we once).
- the pandas function alone: what their user's own code takes over rows in memory, without Feast, files or a store.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from limner.benchmarks.aggregate_specs import EVERY_KIND, INVERTIBLE
from limner.benchmarks.events import write_events
from limner.benchmarks.feast_local import FeastLocal, columns, online, transformation
from limner.benchmarks.memory import peak_memory
from limner.benchmarks.project import BenchProject
from limner.benchmarks.report import Report
from limner.benchmarks.stage import Stage, staged
from limner.benchmarks.turns import Contender, in_turns
from limner.language.errors import LimnerError

START = datetime(2026, 1, 5, tzinfo=UTC)
REACH = 90  # days: the longest window, and so what must lie before the backfill
DAY = timedelta(days=1)
ASKED = 500  # users whose answers are compared
_CLOSE = 1e-9  # relative


@dataclass
class Ours:
    """One of our projects, and what each round of it gave."""

    project: BenchProject
    days: int
    stages: list[Stage] = field(default_factory=list)
    backfill: list[float] = field(default_factory=list)
    next_day: list[float] = field(default_factory=list)
    next_stages: list[Stage] = field(default_factory=list)

    @property
    def end(self) -> datetime:
        """The last instant."""
        return START + timedelta(days=REACH + self.days)

    def round(self, _round: int) -> float:
        """From nothing: all days but the last, then the last; returns seconds of the former."""
        self.project.forget()
        self.project.apply()
        with staged() as stage:
            backfill = self.project.materialize(START + timedelta(days=REACH), self.end - DAY)
        self.stages.append(stage)
        self.backfill.append(backfill)
        with staged() as stage:
            self.next_day.append(self.project.materialize(self.end - DAY, self.end))
        self.next_stages.append(stage)
        return backfill

    def forget(self) -> None:
        """Forget the rounds so far."""
        for kept in (self.stages, self.backfill, self.next_day, self.next_stages):
            kept.clear()

    def tell_next_day(self, report: Report, name: str, target: float | None) -> None:
        """The next day's share of the backfill: of all of `materialize`, and of scan and windows alone."""
        label = f"{name}: the next day over the backfill"
        report.compare(label, self.next_day, self.backfill, target=target, better="less")
        parts = ([stage.seconds for stage in stages] for stages in (self.next_stages, self.stages))
        report.compare(f"{label}, scan and windows", *parts, better="less")


def our_project(root: Path, specs: str, events: Path, days: int) -> Ours:
    """A project in `root` over a file of events."""
    project = BenchProject(root, specs)
    (root / "events.parquet").symlink_to(events)
    return Ours(project, days)


def run(
    folder: Path,
    events: int = 1_000_000,
    entities: int = 20_000,
    days: int = 90,
    active: float | None = None,
    rounds: int = 5,
) -> Report:
    """See the module. `active`: share of the entities that have events on a given day; None: any may."""
    from limner.workers.cluster import Cluster

    setting: dict[str, object] = {
        "events": events,
        "entities": entities,
        "days": days,
        "active": "any" if active is None else active,
    }
    report = Report("aggregate", setting)
    source = folder / "events.parquet"
    write_events(source, events, entities, START, REACH + days, active=active)
    sums = our_project(folder / "sums", INVERTIBLE, source, days)
    kinds = our_project(folder / "kinds", EVERY_KIND, source, days)
    theirs = FeastLocal(folder / "feast", source)
    theirs.apply()
    with peak_memory() as peak, Cluster(sums.project.project().settings) as cluster:
        list(cluster.map(str, range(2 * cluster.cpus)))  # the engine's own Cluster joins this one
        cores = cluster.cpus
        for each in (sums, kinds):
            each.round(0)
            each.forget()  # it warmed up, and it is what the peak is of
        highest = peak[0]
        function = FunctionAlone(source, sums.end)
        contenders: dict[str, Contender] = {
            "sums": sums.round,
            "kinds": kinds.round,
            "theirs": lambda _round: theirs.materialize(sums.end),
            "function": function.run,
        }
        seconds = in_turns(contenders, rounds, warm=0)
    _agree(sums, theirs, entities)
    _tell(report, sums, kinds, cores)
    one = seconds["theirs"]
    report.measure("Feast's local engine, one instant", "s", one)
    report.measure("the pandas function alone, one instant", "s", seconds["function"])
    report.measure("peak memory, all processes", "GB", [highest / 1e9])
    name = f"Feast's local engine, {days} instants, over ours"
    report.compare(name, [each * days for each in one], sums.backfill, target=10)
    report.compare("one instant of Feast's over our next day", one, sums.next_day)
    name = f"the pandas function alone, {days} instants, over our scan and windows"
    report.compare(name, [each * days for each in seconds["function"]], [each.seconds for each in sums.stages])
    return report


def _tell(report: Report, sums: Ours, kinds: Ours, cores: int) -> None:
    for name, each in (("twenty sums", sums), ("every kind", kinds)):
        rate = [stage.rows_read / stage.seconds / cores for stage in each.stages]
        report.measure(f"{name}: scan and windows", "events/s/core", rate)
        report.measure(f"{name}: {each.days - 1} days back", "s", each.backfill)
        report.measure(f"{name}: the next day", "s", each.next_day)
        report.measure(f"{name}: history", "rows", [stage.history_rows for stage in each.stages])
        each.tell_next_day(report, name, target=0.05)
    report.compare(
        "twenty sums: events/s/core over a million",
        [stage.rows_read / stage.seconds / cores for stage in sums.stages],
        [1e6] * len(sums.stages),
        target=1,
    )


class FunctionAlone:
    """The pandas function over rows that are in memory already: what a user's own code takes without Feast."""

    def __init__(self, events: Path, end: datetime) -> None:
        import pandas as pd

        self._rows = pd.read_parquet(events, filters=[("happened_at", ">=", end - timedelta(days=REACH))])
        self._function = transformation()

    def run(self, _round: int) -> None:
        """Compute the values of one instant."""
        self._function(self._rows)


def _agree(ours: Ours, theirs: FeastLocal, entities: int) -> None:
    """LimnerError unless both online stores hold the same values of the same users."""
    users = list(range(0, entities, max(1, entities // ASKED)))
    mine, other = online(ours.project.store(), users), online(theirs.store(), users)
    for name in columns():
        _same(name, users, mine[name], other[name])


def _same(name: str, users: Sequence[int], mine: Sequence[float | None], other: Sequence[float | None]) -> None:
    for user, one, two in zip(users, mine, other, strict=True):
        # No events in 90 days: theirs has no row of this user, ours holds counts and sums of nothing.
        same = not one if two is None else one is not None and abs(one - two) <= _CLOSE * max(abs(one), abs(two))
        if not same:
            raise LimnerError(f"{name} of user {user}: {one} here, {two} by Feast's local engine")
