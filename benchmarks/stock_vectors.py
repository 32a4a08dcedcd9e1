"""Vectors of texts as a user of Feast alone makes them today: its Ray engine and a pandas UDF.

Feast's Ray engine runs a BatchFeatureView whose UDF is handed pandas frames; it encodes them with sentence-transformers
in float32, as it does by default. What a careful user would do is done: the model is loaded once a worker process, and
torch is given every core there (Feast makes a single task of these rows, in however many files they lie, and Ray gives
a task one thread: half the rate on two cores). Feast's Ray offline store reads the rows, vectors go to stock SQLite.

`stock_vectors` runs all this in a process of its own, where Feast, Ray and (by a first run that is not counted) the
model are loaded before anything is timed; this module's `main` is that process.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

import yaml

from limner.benchmarks.project import quiet
from limner.language.errors import LimnerError

if TYPE_CHECKING:
    from limner.workers.encoder.resolve import EncoderModel

VIEW, FEATURE = "taste", "vector"

# What a user writes beside the definitions. Feast's workers import it: a function of the definitions themselves would
# travel by value, and load the model anew for each frame.
UDF = """import os
from functools import cache


@cache
def model():
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Normalize, Pooling, Transformer

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    bert = Transformer({folder!r}, max_seq_length={max_tokens})
    pooling = Pooling(bert.get_word_embedding_dimension(), pooling_mode={pooling!r})
    return SentenceTransformer(modules=[bert, pooling, *([Normalize()] if {normalize} else [])], device="cpu")


def embed(frame):
    frame["vector"] = list(model().encode(({prefix!r} + frame["text"]).tolist(), show_progress_bar=False))
    return frame.drop(columns=["text"])
"""


@contextmanager
def stock_vectors(folder: Path, model: "EncoderModel") -> "Iterator[StockVectors]":
    """A Feast repository in `folder` that makes the vectors of `model`, and its process, for the length of a block.

    LimnerError where sentence-transformers is not installed or the process fails.
    """
    if find_spec("sentence_transformers") is None:
        raise LimnerError("this benchmark needs sentence-transformers: pip install 'limner[bench]'")
    folder.mkdir()
    (folder / "udf.py").write_text(
        UDF.format(
            folder=str(model.folder),
            max_tokens=model.max_tokens,
            pooling=model.pooling,
            normalize=model.normalize,
            prefix=model.prefix,
        )
    )
    settings = {
        "project": "stock",
        "provider": "local",
        "registry": str(folder / "registry.db"),
        "online_store": {"type": "sqlite", "path": str(folder / "online.db")},
        "offline_store": {"type": "ray"},
        "batch_engine": {"type": "ray.engine"},
        "entity_key_serialization_version": 3,
    }
    (folder / "feature_store.yaml").write_text(yaml.safe_dump(settings))
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    with TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "limner.benchmarks.stock_vectors", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        try:
            yield StockVectors(folder / "reviews", process)
        except (BrokenPipeError, json.JSONDecodeError) as error:
            errors.seek(0)
            raise LimnerError(f"Feast's own materialization failed:\n{errors.read()[-3000:]}") from error
        finally:
            process.communicate()


class StockVectors:
    """The running process. It reads the Parquet files that whoever uses this puts into the folder `reviews`."""

    def __init__(self, reviews: Path, process: "subprocess.Popen[str]") -> None:
        self.reviews = reviews
        self._process = process

    def materialize(self, start: datetime, end: datetime) -> float:
        """Seconds of a new FeatureStore and its `materialize`."""
        return float(self._ask({"start": start.isoformat(), "end": end.isoformat()}))

    def vectors(self, users: Sequence[int]) -> list[list[float] | None]:
        """What the online store has of these users."""
        found: list[list[float] | None] = self._ask({"users": list(users)})
        return found

    def _ask(self, question: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


def main() -> None:
    """Apply the repository in the folder that is the argument; answer questions, one a line, until input ends."""
    folder = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # Feast prints
    from limner.workers.cluster import Cluster
    from limner.workers.settings import EngineSettings

    with quiet(), Cluster(EngineSettings()) as cluster:
        list(cluster.map(str, range(cluster.cpus)))  # Feast's engine uses the Ray that is up
        _apply(folder)
        for line in sys.stdin:
            question = json.loads(line)
            answers.write(json.dumps(_read(folder, **question) if "users" in question else _run(folder, **question)))
            answers.write("\n")
            answers.flush()


def _apply(folder: Path) -> None:
    from feast import BatchFeatureView, Entity, FeatureStore, Field, FileSource, ValueType
    from feast.types import Array, Float32, Int64
    from udf import embed  # type: ignore[import-not-found]

    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    source = FileSource(name="reviews", path=str(folder / "reviews"), timestamp_field="written_at")
    schema = [Field(name="user_id", dtype=Int64), Field(name=FEATURE, dtype=Array(Float32))]
    view = BatchFeatureView(
        name=VIEW, entities=[user], source=source, mode="pandas", udf=embed, schema=schema, online=True, offline=False
    )
    FeatureStore(str(folder)).apply([user, source, view])


def _run(folder: Path, start: str, end: str) -> float:
    from feast import FeatureStore

    begun = time.perf_counter()
    FeatureStore(str(folder)).materialize(datetime.fromisoformat(start), datetime.fromisoformat(end))
    return time.perf_counter() - begun


def _read(folder: Path, users: list[int]) -> list[list[float] | None]:
    from feast import FeatureStore

    rows = [{"user_id": user} for user in users]
    answer = FeatureStore(str(folder)).get_online_features(features=[f"{VIEW}:{FEATURE}"], entity_rows=rows).to_dict()
    return [None if each is None else list(each) for each in answer[FEATURE]]


if __name__ == "__main__":
    main()
