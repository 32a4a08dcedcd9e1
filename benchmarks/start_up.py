"""How long commands take to start: each round is a new process, its end awaited.

What has nothing to do is asked of: `limner materialize` and `feast materialize` (Feast's own command with our engine)
over an interval that is complete, and stock Feast (its local engine, file offline store, SQLite; one view over the same
file) over an interval in which the file has no rows. The bounds are those of the project: a ratio of 1 is the bound.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from limner.benchmarks.events import write_events
from limner.benchmarks.project import BenchProject, quiet
from limner.benchmarks.report import Report
from limner.benchmarks.turns import in_turns

START = datetime.fromisoformat("2026-01-05T00:00:00+00:00")
DAYS = 10
EVENTS, ENTITIES = 20_000, 500
SPECS = """
entity: user
join_keys: {user_id: int}
---
source: events
path: events.parquet
entity: user
event_timestamp: happened_at
---
feature_view: activity
entity: user
source: events
every: 1d
features:
  events: {count: "*", over: [7d, 30d]}
  spend: {sum: amount, over: 7d}
  favourites: {top: 3, of: category, over: 30d}
"""
STOCK_SETTINGS = """
project: stock
provider: local
registry: registry.db
online_store: {type: sqlite, path: online.db}
offline_store: {type: file}
entity_key_serialization_version: 3
"""
STOCK_DEFINITIONS = """
from feast import Entity, FeatureView, Field, FileSource, ValueType
from feast.types import Float64

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
activity = FeatureView(
    name="activity",
    entities=[user],
    schema=[Field(name="amount", dtype=Float64)],
    source=FileSource(path="../bench/events.parquet", timestamp_field="happened_at"),
)
"""
BOUNDS = {"limner --help": 0.3, "limner get": 1.5}  # seconds


def run(folder: Path, rounds: int = 5) -> Report:
    """Start each command once a round."""
    report = Report("start-up", {"events": EVENTS})
    project, stock = _ours(folder / "bench"), _stock(folder / "stock")
    begin, end = START.isoformat(), (START + timedelta(days=DAYS)).isoformat()
    long_before = [(START - timedelta(days=days)).isoformat() for days in (30, 20)]
    limner = ["-m", "limner.cli.main"]
    feast = ["-m", "feast.cli.cli"]
    commands: dict[str, list[str]] = {
        "python -c pass": ["-c", "pass"],
        "import limner, open its Store": ["-c", f"import limner; limner.Store({str(project.root)!r})"],
        "limner --help": [*limner, "--help"],
        "limner validate": [*limner, "-C", str(project.root), "validate"],
        "limner get": [*limner, "-C", str(project.root), "get", "3"],
        "limner materialize, nothing to do": [*limner, "-C", str(project.root), "materialize", begin, end],
        "feast materialize, nothing to do": [*feast, "-c", str(project.repo), "materialize", begin, end],
        "stock feast materialize, nothing to do": [*feast, "-c", str(stock), "materialize", *long_before],
    }
    seconds = in_turns({name: _starting(line) for name, line in commands.items()}, rounds, warm=0)
    for name, values in seconds.items():
        report.measure(name, "s", values)
    for name, bound in BOUNDS.items():
        report.compare(f"{name} over {bound:g} s", seconds[name], [bound] * rounds, target=1, better="less")
    theirs = seconds["stock feast materialize, nothing to do"]
    for name in ("limner materialize, nothing to do", "feast materialize, nothing to do"):
        report.compare(f"{name}, over stock stores", seconds[name], theirs, better="less")
    return report


def _ours(root: Path) -> BenchProject:
    """A project that is materialized up to its end, and so complete."""
    from limner.feature_repo.engine import LimnerEngine  # noqa: F401 - so that nothing is first compiled while timed

    project = BenchProject(root, SPECS)
    write_events(root / "events.parquet", EVENTS, ENTITIES, START, DAYS)
    project.apply()
    project.materialize(START, START + timedelta(days=DAYS))
    return project


def _stock(root: Path) -> Path:
    """A repository with Feast's own stores, applied."""
    from limner.feature_repo.apply import feast_apply

    root.mkdir()
    (root / "feature_store.yaml").write_text(STOCK_SETTINGS)
    (root / "definitions.py").write_text(STOCK_DEFINITIONS)
    with quiet():
        feast_apply(root)
    return root


def _starting(arguments: list[str]) -> Callable[[int], float]:
    line = [sys.executable, *arguments]

    def start(_round: int) -> float:
        begun = time.perf_counter()
        ended = subprocess.run(line, capture_output=True, text=True, check=False)
        took = time.perf_counter() - begun
        if ended.returncode:
            raise RuntimeError(f"{' '.join(line[1:])}: {ended.stderr[-2000:]}")
        return took

    return start
