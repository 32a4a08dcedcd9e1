"""Embeddings by content: one folder an encoder fingerprint, one vector a digest, written once."""

import fcntl
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from limner.language.errors import LimnerError
from limner.workers.history.files import write_atomic
from limner.workers.text.index import DIGEST, DigestIndex, as_digests

Vectors = npt.NDArray[np.float32]
_SUFFIX = ".arrow"


class Encoding(Protocol):
    """What the cache needs to know of an encoder: the identity of its vectors and their length."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def dim(self) -> int: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102


@dataclass(frozen=True)
class _Part:
    path: Path
    vectors: Vectors  # [rows, dim], mapped from the file, not read


class EmbeddingCache:
    """The vectors one encoder has made, below `folder`/<encoder fingerprint>.

    A part is an Arrow file of digests (16 bytes) and vectors (dim float32), complete and durable before it
    gets its name, and never changed: a part that can be seen can be read. Any number of processes may read
    and write; who is about to encode holds `lock` and refreshes first. Memory: 24 bytes a text; vectors stay
    in the files.
    """

    def __init__(self, folder: Path, model: Encoding) -> None:
        self.folder = folder / model.fingerprint
        self.encoder = model.name
        self.dim = model.dim
        self._parts: list[_Part] = []
        self._index = DigestIndex()
        self._seen: set[str] = set()
        self.refresh()

    def __len__(self) -> int:
        return len(self._index)

    def refresh(self) -> None:
        """Notice the parts written since (by any process)."""
        names = sorted(path.name for path in self.folder.glob(f"part-*{_SUFFIX}")) if self.folder.is_dir() else []
        digests: list[npt.NDArray[np.uint64]] = []
        for name in names:
            if name not in self._seen:
                found, vectors = _read_part(self.folder / name, self.dim)
                digests.append(found)
                self._parts.append(_Part(self.folder / name, vectors))
                self._seen.add(name)
        self._index.extend(digests)

    def missing(self, digests: pa.Array | pa.ChunkedArray) -> pa.Array:
        """Return those without a vector, each once, in ascending order."""
        return self._index.missing(as_digests(digests))

    def load(self, digests: pa.Array | pa.ChunkedArray) -> Vectors:
        """Return float32 [len(digests), dim], in their order; LimnerError if a text was never encoded."""
        vectors, found = self.find(digests)
        if not found.all():
            raise LimnerError(
                f"encoder {self.encoder!r}: {int((~found).sum())} of {len(found)} texts have no embedding "
                f"in {self.folder}; materialize the feature view, which encodes them"
            )
        return vectors

    def find(self, digests: pa.Array | pa.ChunkedArray) -> tuple[Vectors, npt.NDArray[np.bool_]]:
        """Return float32 [len(digests), dim], in their order, and which of them there are; zeros for the others."""
        part, row, found = self._index.find(as_digests(digests))
        vectors = np.zeros((len(found), self.dim), np.float32)
        for number in np.unique(part[found]):
            mine = np.flatnonzero((part == number) & found)
            vectors[mine] = self._parts[number].vectors[row[mine]]
        return vectors, found

    def put(self, digests: pa.Array, vectors: Vectors) -> Path | None:
        """Write one part durably; return its path (None for no digests). Not visible until `refresh`."""
        return write_part(self.folder, digests, vectors, self.dim)

    @contextmanager
    def lock(self, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Be the only process that encodes with this encoder. Ends with the process, however it ends.

        `on_wait` is called once if another process has it, before waiting.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def write_part(folder: Path, digests: pa.Array, vectors: Vectors, dim: int) -> Path | None:
    """Write digests and vectors [len(digests), dim] as one part of `folder`: all of it durably, or nothing.

    ValueError for a wrong shape or a value that is not finite, which can only be a bug.
    """
    if vectors.shape != (len(digests), dim) or vectors.dtype != np.float32:
        raise ValueError(f"vectors {vectors.shape} {vectors.dtype}, expected ({len(digests)}, {dim}) float32")
    if not np.isfinite(vectors).all():
        raise ValueError("a vector holds NaN or infinity")
    if not len(digests):
        return None
    flat = pa.array(np.ascontiguousarray(vectors).reshape(-1))
    batch = pa.record_batch({"digest": digests.cast(DIGEST), "vector": pa.FixedSizeListArray.from_arrays(flat, dim)})
    path = folder / f"part-{uuid.uuid4().hex}{_SUFFIX}"

    def write(target: Path) -> None:
        with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)

    write_atomic(path, write)
    return path


def _read_part(path: Path, dim: int) -> tuple[npt.NDArray[np.uint64], Vectors]:
    """Map a part: its digests as uint64 [rows, 2], copied; its vectors as float32 [rows, dim], not read."""
    try:
        with pa.memory_map(str(path)) as source:
            reader: Any = pa.ipc.open_file(source)
            batch = reader.get_batch(0)
        vectors = batch.column("vector").values.to_numpy(zero_copy_only=True).reshape(batch.num_rows, dim)
        return as_digests(batch.column("digest")).copy(), vectors
    except (pa.ArrowInvalid, pa.ArrowIndexError, KeyError, ValueError) as error:
        raise LimnerError(
            f"{path} is not a readable part of the embedding cache ({error}); delete this file: "
            "its texts are encoded again at the next materialization"
        ) from error
