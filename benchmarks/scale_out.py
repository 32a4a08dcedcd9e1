"""The same materialization on a Ray cluster of one node and of two, each node with one CPU.

Both nodes are on this machine and share its cores, memory and disk, with the driver, too: this shows that the work is
spread, that where a task ran changes no byte, and what a node more costs; not what a second machine gives. Each round
starts from nothing (history and online store), joins the cluster, lets every CPU run a task first, and is timed from a
new Feast store to its end. The history files and the served values of every round must be those of the first.
"""

import hashlib
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from limner.benchmarks.aggregate_specs import EVERY_KIND
from limner.benchmarks.events import write_events
from limner.benchmarks.project import BenchProject
from limner.benchmarks.ray_nodes import ray_nodes
from limner.benchmarks.report import Report
from limner.benchmarks.turns import in_turns
from limner.language.errors import LimnerError

START = datetime(2026, 1, 5, tzinfo=UTC)
REACH = 90  # days: the longest window
SPECS = f"""{EVERY_KIND}
  words: {{embed: "{{category}}", encoder: terms, over: 30d}}
---
encoder: terms
hashing: {{features: 64}}
"""


def run(folder: Path, events: int = 300_000, entities: int = 5_000, days: int = 30, rounds: int = 5) -> Report:
    """See the module."""
    report = Report("scale-out", {"events": events, "entities": entities, "days": days})
    source = folder / "events.parquet"
    write_events(source, events, entities, START, REACH + days)
    seen: dict[str, str] = {}
    with ExitStack() as stack:
        contenders = {}
        for count in (1, 2):
            address = stack.enter_context(ray_nodes(count))
            name = f"{count} node{'s' if count > 1 else ''} of one CPU"
            contenders[name] = materializing(folder / f"on{count}", source, address, days, entities, seen)
        seconds = in_turns(contenders, rounds)
    one, two = (seconds[name] for name in contenders)
    for name in contenders:
        report.measure(name, "s", seconds[name])
    report.compare("one node over two", one, two)
    report.notes.append("every round of both gave the same history files and served values, byte for byte")
    report.notes.append("both nodes and the driver share this machine's cores")
    return report


def materializing(
    root: Path, source: Path, address: str, days: int, entities: int, seen: dict[str, str]
) -> Callable[[int], float]:
    """Return what materializes a project in `root` on the cluster at `address`; its bytes must be those in `seen`."""
    from limner.workers.cluster import Cluster

    project = BenchProject(root, SPECS, settings={"batch_engine": {"ray_address": address, "shards": 8}})
    (root / "events.parquet").symlink_to(source)
    begin = START + timedelta(days=REACH)

    def contender(_round: int) -> float:
        project.forget()
        project.apply()
        with Cluster(project.project().settings) as cluster:
            list(cluster.map(str, range(4 * cluster.cpus)))  # the engine's own Cluster uses this one
            took = project.materialize(begin, begin + timedelta(days=days))
        for part, found in stored(project.root, entities).items():
            if seen.setdefault(part, found) != found:
                raise LimnerError(f"the {part} differs between clusters or rounds: {project.root}")
        return took

    return contender


def stored(root: Path, entities: int) -> dict[str, str]:
    """Digests of a project's history files, with their names, and of all that its online store serves."""
    import pyarrow as pa

    import limner

    history = hashlib.sha256()
    folder = root / "data" / "history"
    for path in sorted(path for path in folder.rglob("*.parquet")):
        history.update(f"{path.relative_to(folder)}\n".encode())
        history.update(path.read_bytes())
    with closing(limner.Store(root)) as store:
        (view,) = store.views()
        table = store.read(view.name, list(range(entities)))
    with pa.ipc.new_stream(sink := pa.BufferOutputStream(), table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return {"history": history.hexdigest(), "online store": hashlib.sha256(sink.getvalue()).hexdigest()}
