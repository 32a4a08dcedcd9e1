"""A large spec: how long it takes to validate, to plan and to apply."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from limner.benchmarks.project import BenchProject, quiet
from limner.benchmarks.report import Report
from limner.benchmarks.turns import in_turns

ROWS = 1_000
WINDOWS = ("7d", "30d", "90d", "180d", "lifetime")


def run(folder: Path, sources: int = 20, features: int = 500, rounds: int = 5) -> Report:
    """Make a project of `features` in as many views as `sources` in `folder`, and time what reads its specs."""
    from limner.feature_repo.plan import plan
    from limner.language.repo import load

    report = Report("spec", {"sources": sources, "features": features})
    project = write_project(folder / "bench", sources, features)
    validate = _timed(lambda: load(project.root / "specs"), rounds)
    report.measure("validate", "s", validate)
    with quiet():
        plan(project.root)  # imports Feast
        report.measure("plan, everything new", "s", _timed(lambda: plan(project.root), rounds))
        report.measure("limner plan, as a command", "s", [_command("limner.cli.main", "-C", project.root, "plan")])
        report.measure("feast apply, as a command", "s", [_command("feast.cli.cli", "-c", project.repo, "apply")])
        unchanged = _timed(lambda: plan(project.root), rounds)
        if not plan(project.root).empty:
            raise RuntimeError("what was applied is not what was planned")
    report.measure("plan, nothing changed", "s", unchanged)
    report.compare("plan, nothing changed, over loading the specs", unchanged, validate, better="less")
    return report


def write_project(root: Path, sources: int, features: int) -> BenchProject:
    """A project in `root` with sources of 1,000 rows, and a view over each of them; `features` are output columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = pa.table(
        {
            "user_id": pa.array(range(ROWS)),
            "at": pa.array([10**15 + i * 3_600_000_000 for i in range(ROWS)]).cast(pa.timestamp("us", "UTC")),
            "amount": pa.array([float(i % 97) for i in range(ROWS)]),
            "quantity": pa.array([i % 7 for i in range(ROWS)]),
            "category": pa.array([f"c{i % 13}" for i in range(ROWS)]),
        }
    )
    documents = ["entity: user\njoin_keys: {user_id: int}\n"]
    for number in range(sources):
        documents.append(f"source: events_{number}\npath: events_{number}.parquet\nevent_timestamp: at\n")
        count = features // sources + (number < features % sources)
        lines = "".join(f"  {name}: {feature}\n" for name, feature in _features(count))
        documents.append(
            f"feature_view: view_{number}\nentity: user\nsource: events_{number}\nevery: 1d\nfeatures:\n{lines}"
        )
    project = BenchProject(root, "---\n".join(documents))
    for number in range(sources):
        pq.write_table(rows, root / f"events_{number}.parquet")
    return project


def _features(count: int) -> list[tuple[str, str]]:
    """Features of many kinds, windows and conditions, one output column each."""
    kinds = [
        'count: "*"', "sum: amount", "mean: amount", "max: amount", "min: quantity", "std: amount",
        "distinct: category", "top: 3, of: category", "last: category", "share: amount, where: quantity > 3",
    ]  # fmt: skip
    made = []
    for number in range(count):
        kind, window = kinds[number % len(kinds)], WINDOWS[number // len(kinds) % len(WINDOWS)]
        where = "" if "where" in kind else f", where: quantity <> {number}"
        made.append((f"f{number}", f"{{{kind}, over: {window}{where}}}"))
    return made


def _timed(action: Callable[[], object], rounds: int) -> list[float]:
    return in_turns({"it": lambda _round: _ignored(action())}, rounds, warm=0)["it"]


def _ignored(_result: object) -> None:
    return None


def _command(module: str, *arguments: object) -> float:
    begun = time.perf_counter()
    line = [sys.executable, "-m", module, *map(str, arguments)]
    ended = subprocess.run(line, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(line[2:])}: {ended.stderr[-2000:]}")
    return time.perf_counter() - begun
