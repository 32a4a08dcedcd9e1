"""Whether the cost of a materialization grows linearly: sizes in turns, an exponent fitted, a plot.

The share of the next day is told for each size, too: what a run costs whatever it does (some tenths of a second) weighs
less the larger the history is. Its target is held to at the largest size.

A size is a number of events; entities grow with it (so many events each), or stay. The exponent is the slope of the
least-squares line through (log events, log seconds) of one round; 1 is linear.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from limner.benchmarks.aggregate import REACH, START, Ours, our_project
from limner.benchmarks.aggregate_specs import INVERTIBLE
from limner.benchmarks.events import write_events
from limner.benchmarks.memory import peak_memory
from limner.benchmarks.report import Report
from limner.benchmarks.turns import in_turns
from limner.language.errors import LimnerError

EVENTS_EACH = 50  # events an entity


def run(
    folder: Path,
    sizes: str = "500000,1000000,2000000",
    entities: int | None = None,
    days: int = 90,
    rounds: int = 5,
    plot: Path | None = None,
) -> Report:
    """Materialize `days` instants of twenty sums at each size. `entities` None: one to fifty events.

    The plot (SVG) needs matplotlib: LimnerError, before anything is measured, where it is not installed.
    """
    from limner.workers.cluster import Cluster

    if plot is not None:
        _matplotlib()
    if not all(size.strip().isdigit() for size in sizes.split(",")):
        raise LimnerError(f"--sizes {sizes}: expected numbers of events such as 500000,1000000")
    setting = {"sizes": sizes, "entities": entities or f"events/{EVENTS_EACH}", "days": days}
    report = Report("scaling", setting)
    projects: dict[str, Ours] = {}
    for size in map(int, sizes.split(",")):
        source = folder / f"events-{size}.parquet"
        write_events(source, size, entities or size // EVENTS_EACH, START, REACH + days)
        projects[str(size)] = our_project(folder / f"project-{size}", INVERTIBLE, source, days)
    first = next(iter(projects.values()))
    with Cluster(first.project.project().settings) as cluster:
        list(cluster.map(str, range(2 * cluster.cpus)))
        cores = cluster.cpus
        first.round(0)
        first.forget()
        with peak_memory() as peak:  # the driver's and the workers' heaps only grow: one peak, of the largest size
            seconds = in_turns({name: each.round for name, each in projects.items()}, rounds, warm=0)
    stages = {name: [stage.seconds for stage in each.stages] for name, each in projects.items()}
    for name, each in projects.items():
        label = f"{int(name):,} events"
        report.measure(f"{label}: materialize", "s", seconds[name])
        rates = [stage.rows_read / stage.seconds / cores for stage in each.stages]
        report.measure(f"{label}: scan and windows", "events/s/core", rates)
        report.measure(f"{label}: the next day", "s", each.next_day)
    for name, each in projects.items():
        target = 0.05 if int(name) == max(map(int, projects)) else None
        each.tell_next_day(report, f"{int(name):,} events", target)
    report.measure("peak memory, all processes", "GB", [peak[0] / 1e9])
    for what, measured in (("materialize", seconds), ("scan and windows", stages)):
        found = [exponent({int(name): values[turn] for name, values in measured.items()}) for turn in range(rounds)]
        report.compare(f"exponent of {what}", found, [1.0] * rounds, target=1.1, better="less")
    if plot is not None:
        _draw(plot, {"materialize": seconds, "scan and windows": stages})
    return report


def exponent(seconds: Mapping[int, float]) -> float:
    """The slope of log seconds over log size; two sizes at least."""
    across = [math.log(size) for size in seconds]
    up = [math.log(value) for value in seconds.values()]
    middle, height = sum(across) / len(across), sum(up) / len(up)
    spread = sum((x - middle) ** 2 for x in across)
    if not spread:
        raise LimnerError("an exponent needs two sizes at least: `--sizes 500000,1000000`")
    return sum((x - middle) * (y - height) for x, y in zip(across, up, strict=True)) / spread


def _matplotlib() -> None:
    try:
        import matplotlib as mpl
    except ImportError as error:
        raise LimnerError("a plot needs matplotlib: `pip install 'limner[bench]'`, or leave `--plot` out") from error
    mpl.rcParams["svg.hashsalt"] = "limner"  # the same figures give the same file


def _draw(path: Path, measured: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    """Median seconds over events, both logarithmic, with the fitted line of each."""
    _matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    for what, by_size in measured.items():
        medians = {int(name): median(values) for name, values in by_size.items()}
        slope, sizes = exponent(medians), sorted(medians)
        level = sum(math.log(medians[size]) - slope * math.log(size) for size in sizes) / len(sizes)
        (line,) = axes.plot(sizes, [math.exp(level) * size**slope for size in sizes], linewidth=1)
        label = f"{what}: exponent {slope:.2f}"
        axes.plot(sizes, [medians[size] for size in sizes], "o", color=line.get_color(), label=label)
    axes.set(xscale="log", yscale="log", xlabel="events", ylabel="seconds")
    axes.grid(visible=True, which="both", linewidth=0.3)
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None})
