"""`limner bench spec`: how long a large spec takes to validate, to plan and to apply."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from limner.cli import output
from limner.cli.options import JsonOption

ROWS = 1_000
WINDOWS = ("7d", "30d", "90d", "180d", "lifetime")


@dataclass(frozen=True)
class Figures:
    """Seconds of wall clock; `validate` and `plan` are medians within one process, the commands start their own."""

    sources: int
    features: int
    validate_seconds: float
    plan_seconds: float
    plan_command_seconds: float
    apply_command_seconds: float
    plan_applied_seconds: float


def bench_spec(
    sources: Annotated[int, typer.Option(min=1, help="Sources, and as many feature views.")] = 20,
    features: Annotated[int, typer.Option(min=1, help="Features, over all views.")] = 500,
    repeat: Annotated[int, typer.Option(min=1, help="Repetitions of what is measured in process.")] = 5,
    json: JsonOption = False,
) -> int:
    """Validate, plan and apply a generated spec of many features over many sources."""
    with tempfile.TemporaryDirectory(prefix="limner-bench-") as folder:
        figures = measure(Path(folder) / "bench", sources, features, repeat)
    if json:
        output.emit_json(asdict(figures))
        return 0
    say = output.console().print
    say(f"{figures.features} features over {figures.sources} sources")
    say(f"validate                    {figures.validate_seconds:6.2f} s   median of {repeat}")
    say(f"plan, everything new        {figures.plan_seconds:6.2f} s   median of {repeat}")
    say(f"limner plan, as a command   {figures.plan_command_seconds:6.2f} s   imports included")
    say(f"feast apply, as a command   {figures.apply_command_seconds:6.2f} s   imports included")
    say(f"plan, nothing changed       {figures.plan_applied_seconds:6.2f} s   median of {repeat}")
    return 0


def measure(root: Path, sources: int, features: int, repeat: int) -> Figures:
    """Make the project in `root` and time it."""
    from limner.cli.commands.init import create
    from limner.cli.commands.plan import make
    from limner.cli.commands.validate import check

    create(root, bare=True)
    made = write_project(root, sources, features)
    validate = _median(lambda: check(root), repeat)
    make(root)  # imports Feast
    planned = _median(lambda: make(root), repeat)
    command = _timed(lambda: _run(root, "limner.cli.main", "-C", str(root), "plan"))
    applied = _timed(lambda: _run(root, "feast.cli.cli", "-c", str(root / "feature_repo"), "apply"))
    again = _median(lambda: make(root), repeat)
    if not make(root).empty:
        raise RuntimeError("what was applied is not what was planned")
    return Figures(sources, made, validate, planned, command, applied, again)


def write_project(root: Path, sources: int, features: int) -> int:
    """Write sources of 1,000 rows and one view each into a project; returns the number of features (output columns)."""
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
    made = 0
    for number in range(sources):
        pq.write_table(rows, root / f"events_{number}.parquet")
        documents.append(f"source: events_{number}\npath: events_{number}.parquet\nevent_timestamp: at\n")
        count = features // sources + (number < features % sources)
        lines = [f"  {name}: {feature}" for name, feature in _features(count)]
        documents.append(f"feature_view: view_{number}\nentity: user\nsource: events_{number}\nevery: 1d\nfeatures:\n"
                         + "\n".join(lines) + "\n")  # fmt: skip
        made += count
    (root / "specs" / "bench.yaml").write_text("---\n".join(documents))
    return made


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


def _median(action: Callable[[], object], repeat: int) -> float:
    return statistics.median(_timed(action) for _ in range(repeat))


def _timed(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def _run(root: Path, module: str, *arguments: str) -> None:
    line = [sys.executable, "-m", module, *arguments]
    ended = subprocess.run(line, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if ended.returncode:
        raise RuntimeError(f"{module} {' '.join(arguments)}: {ended.stderr[-2000:]}")
