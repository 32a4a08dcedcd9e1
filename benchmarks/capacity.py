"""A model of a large backfill: what takes how long on a cluster, what it costs, and what decides it.

Rates per core are measured (of `limner bench` reports where given, else the defaults below with their source), the rate
of a GPU is a published one. Stages follow one another, as they do in a run: what only one node or one process can do is
counted so. Nothing here was run at this size; docs/scale.md says what would break before it got there.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from limner.benchmarks.baseline import read

VECTOR_BYTES = 4 * 384
DIGEST_BYTES = 16
SCALAR_BYTES = 1.23 * 50  # of history an event: rows an event, bytes a row of twenty scalars (bench aggregate)


@dataclass(frozen=True)
class Scenario:
    """What is to be done, and on what. `duplicates`: the share of rows with a text that was seen before."""

    events: float = 1e9
    entities: float = 20e6
    texts: float = 1e8
    duplicates: float = 0.3
    length: float = 1.0  # of texts, in lengths of the rates' own (reviews of about 25 tokens)
    nodes: int = 4
    cores: int = 32
    gpus: int = 8
    disk: float = 1e9  # bytes/s of the shared file system
    core_hour: float = 0.05
    gpu_hour: float = 2.0

    @property
    def text_rows(self) -> float:
        """Rows that have a text."""
        return self.texts / (1 - self.duplicates)


@dataclass(frozen=True)
class Rate:
    """Something a second, and where the number is from."""

    value: float
    source: str


@dataclass(frozen=True)
class Rates:
    """What the model computes with; `of_reports` puts measured ones in place of the defaults."""

    events: Rate = Rate(440e3, "events/s/core, read, cleaned and windowed: bench aggregate, 2 cores")
    scan_share: Rate = Rate(0.3, "of that time is reading and cleaning: bench aggregate, 2 million events")
    text_rows: Rate = Rate(500e3, "text rows/s on one core, cleaned and digested in Python: timed alone")
    staging: Rate = Rate(185e3, "distinct texts/s/core, sorted by length and staged: timed alone")
    cpu: Rate = Rate(380, "texts/s/core through Triton, bfloat16: bench encode, 2 cores")
    gpu: Rate = Rate(16_648, "texts/s/GPU: text-embeddings-inference, e5-small (12 layers), A100-40GB, ignite-ms")
    tokenizer: Rate = Rate(26_000, "texts/s a server process, tokenized: measured in process, 2 threads")
    served: Rate = Rate(0.9, "of the engine's rate end to end: the bound of bench encode")
    pooling: Rate = Rate(20e3, "text rows/s/core from stored vectors to history: the bound of bench encode")
    index: Rate = Rate(1.7e6, "digests/s/core sorted, by each task that looks vectors up, over all texts: timed alone")
    online: Rate = Rate(76e3, "profiles/s, one writer, SQLite: bench online-write")
    cores: Rate = Rate(0.7, "of the rate of a core, where many share a node: assumed")


@dataclass(frozen=True)
class Stage:
    """A part of the run: seconds, and what it runs on."""

    name: str
    seconds: float
    on: str


@dataclass(frozen=True)
class Capacity:
    """What the model says of a scenario."""

    scenario: Scenario
    stages: tuple[Stage, ...]
    sizes: Mapping[str, float] = field(default_factory=dict)  # bytes

    @property
    def hours(self) -> float:
        """From start to end."""
        return sum(stage.seconds for stage in self.stages) / 3600

    @property
    def cost(self) -> float:
        """All nodes and GPUs for all of the time."""
        one = self.scenario
        return self.hours * (one.nodes * one.cores * one.core_hour + one.gpus * one.gpu_hour)

    @property
    def longest(self) -> Stage:
        """What decides."""
        return max(self.stages, key=lambda stage: stage.seconds)


def model(one: Scenario, rates: Rates) -> Capacity:
    """Compute the stages and sizes of a scenario."""
    node = one.cores * rates.cores.value
    cluster = one.nodes * node
    gpu = min(rates.gpu.value / one.length, rates.tokenizer.value) * one.gpus
    encoded = rates.served.value * gpu if one.gpus else rates.cpu.value / one.length * cluster
    vectors = one.texts * (VECTOR_BYTES + DIGEST_BYTES)
    pooled = 2 * one.text_rows * VECTOR_BYTES  # a row when a text enters a window, another when it leaves
    scalars = SCALAR_BYTES * one.events
    shards = 2 * one.nodes * one.cores  # the engine's own choice
    events = one.events / rates.events.value
    scan = max(events * rates.scan_share.value / node, (15 * one.events + 128 * one.length * one.text_rows) / one.disk)
    windows = max(events * (1 - rates.scan_share.value) / cluster, scalars / one.disk)
    index = shards * one.texts / rates.index.value / cluster
    pooling = max(one.text_rows / rates.pooling.value / cluster, pooled / one.disk)
    stages = (
        Stage("read, clean and sort events", scan, "one node: a source is prepared by one process"),
        Stage("clean and digest texts", one.text_rows / rates.text_rows.value, "one core: Python"),
        Stage("sort and stage distinct texts", one.texts / rates.staging.value / node, "one node"),
        Stage("encode", max(one.texts / encoded, vectors / one.disk), f"{one.gpus} GPUs" if one.gpus else "all cores"),
        Stage("windows of scalars", windows, "all cores"),
        Stage("index vectors by digest", index, f"all cores: each of {shards} shards indexes all texts"),
        Stage("pool vectors, write their history", pooling, "all cores, the shared disk"),
        Stage("online store", one.entities / rates.online.value, "one writer"),
    )
    sizes = {
        "embeddings by content": vectors,
        "history of pooled vectors": pooled,
        "history of scalars": scalars,
        "online store": one.entities * (VECTOR_BYTES + 400),
        "memory of a process that looks vectors up": 80 * one.texts,
        "memory of a node's processes that do": 80 * one.texts * one.cores,
    }
    return Capacity(one, stages, sizes)


def sensitivity(one: Scenario, rates: Rates) -> list[tuple[str, Capacity]]:
    """The same with one thing changed at a time."""
    changes: list[tuple[str, dict[str, Any]]] = [
        ("as above", {}),
        ("texts twice as long", {"length": 2 * one.length}),
        ("60 % duplicates of as many rows", {"duplicates": 0.6, "texts": one.text_rows * 0.4}),
        ("twice the GPUs", {"gpus": 2 * one.gpus}),
        ("no GPU", {"gpus": 0}),
        ("twice the nodes", {"nodes": 2 * one.nodes}),
        ("ten times the events", {"events": 10 * one.events}),
        ("ten times the entities", {"entities": 10 * one.entities}),
        ("a disk of twice the speed", {"disk": 2 * one.disk}),
    ]
    changed = [(name, model(replace(one, **change), rates)) for name, change in changes]
    fast = replace(rates, gpu=Rate(50_127, "TensorRT, the same model, texts and GPU"))
    return [*changed, ("TensorRT's rate on the same GPUs", model(one, fast))]


def of_reports(folder: Path) -> Rates:
    """Rates out of the reports in `folder` (aggregate.json, encode.json, online-write.json), as far as there."""
    found = Rates()
    for report, name, unit, into, by_cores in (
        ("aggregate", "twenty sums: scan and windows", "events/s/core", "events", False),
        ("encode", "through Triton", "texts/s", "cpu", True),
        ("online-write", "Limner, SQLite", "profiles/s", "online", False),
    ):
        path = folder / f"{report}.json"
        if not path.exists():
            continue
        document = read(path)
        rows = [row for row in document["measured"] if row["name"] == name and row["unit"] == unit]
        if rows and not (into == "cpu" and document["machine"].get("gpu")):
            cores = document["machine"]["cores"] if by_cores else 1
            source = getattr(found, into).source.partition(":")[0]
            found = replace(found, **{into: Rate(rows[0]["value"] / cores, f"{source}: {path}")})
    return found


def to_json(capacity: Capacity, rates: Rates) -> dict[str, Any]:
    """Plain data."""
    return asdict(capacity) | {"hours": capacity.hours, "cost": capacity.cost, "rates": asdict(rates)}
