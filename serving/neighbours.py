"""`POST /similar`: the entities whose vectors are nearest by cosine. Exact: every vector is compared.

The vectors of a feature are laid side by side once, and kept for some seconds: scanning the store takes a hundred times
as long as comparing. So a vector that was just written is found a little later; the one asked about is read anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any

import numpy as np
import orjson

from limner.language.errors import LimnerError
from limner.serving.asked import SimilarAsked, keys_of
from limner.serving.messages import HttpError, Reply
from limner.serving.served import Served
from limner.serving.settings import ServeSettings
from limner.workers.online.database import Generation, Snapshot
from limner.workers.online.reading import encode
from limner.workers.online.selection import choose, select

Floats = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class Matrix:
    """The vectors of one feature, float32 [n, dim], their lengths, and whose they are (encoded keys)."""

    keys: Sequence[bytes]
    vectors: Floats
    lengths: Floats
    of: tuple[object, int]  # the store it was read from, and the generation of the view
    made: float  # `monotonic` seconds

    def nearest(self, vector: Floats, k: int, besides: bytes | None) -> list[tuple[bytes, float]]:
        """Keys and cosines, nearest first, of equal ones the smaller key; a zero vector is far from all."""
        if not self.keys:
            return []
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            cosines = np.nan_to_num(self.vectors @ vector / (self.lengths * np.linalg.norm(vector)), nan=-1.0)
        among = min(k + 1, len(self.keys))
        least = np.partition(cosines, len(cosines) - among)[len(cosines) - among]
        found = [(self.keys[n], float(cosines[n])) for n in np.flatnonzero(cosines >= least).tolist()]
        found = [each for each in found if each[0] != besides]
        return sorted(found, key=lambda each: (-each[1], each[0]))[:k]


class Neighbours:
    """The matrices that are kept, one a feature. Threads may share it: one lays a matrix out, others wait for it."""

    def __init__(self, settings: ServeSettings) -> None:
        self._bytes, self._seconds = settings.vectors_bytes, settings.vectors_seconds
        self._kept: dict[tuple[str, str], Matrix] = {}
        self._locks: dict[tuple[str, str], Lock] = {}
        self._lock = Lock()

    def answer(self, served: Served, asked: SimilarAsked) -> Reply:
        """HttpError for a feature that is no vector (422), an entity without one (404), too many to compare (422)."""
        generation, vector, own = served.database.read(lambda snapshot: _own(snapshot, asked))
        with self._lock:
            lock = self._locks.setdefault((asked.view, asked.feature), Lock())
        with lock:
            matrix = self._kept.get((asked.view, asked.feature))
            if matrix is None or matrix.of != (served.database, generation.id) or self._old(matrix):
                matrix = served.database.read(lambda snapshot: self._laid_out(served, snapshot, asked))
                self._kept[asked.view, asked.feature] = matrix
        names = [name for name, _ in generation.schema.keys]
        neighbours = [
            {"key": dict(zip(names, generation.schema.decode(key), strict=True)), "similarity": cosine}
            for key, cosine in matrix.nearest(vector, asked.k, own)
        ]
        body = orjson.dumps({"neighbours": neighbours, "compared": len(matrix.keys)})
        return Reply(body, lookups=(asked.view, 1, 0))

    def _old(self, matrix: Matrix) -> bool:
        return monotonic() - matrix.made > self._seconds

    def _laid_out(self, served: Served, snapshot: Snapshot, asked: SimilarAsked) -> Matrix:
        generation = _generation(snapshot, asked)
        position = generation.schema.layout.index[asked.feature]
        dim, rows = generation.schema.columns[position].dim or 0, snapshot.count(generation)
        if 4 * dim * rows > self._bytes:
            raise HttpError(
                422,
                f"{rows:,} vectors of {dim} are more than this server compares ({self._bytes >> 20:,} MiB): "
                "start it with more --vectors-mib, or use a vector index",
            )
        found = [(key, value) for key, _, value in snapshot.scan(generation)]
        vectors, present = generation.schema.layout.matrix([value for _, value in found], position)
        keys, lengths = [found[row][0] for row in present], np.linalg.norm(vectors, axis=1)
        return Matrix(keys, vectors, lengths, (served.database, generation.id), monotonic())


def _own(snapshot: Snapshot, asked: SimilarAsked) -> tuple[Generation, Floats, bytes | None]:
    """What to compare with, and whose it is."""
    generation = _generation(snapshot, asked)
    layout = generation.schema.layout
    position = layout.index[asked.feature]
    dim = layout.columns[position].dim
    if asked.vector is not None:
        if len(asked.vector) != dim:
            raise HttpError(422, f"{asked.feature!r} of {asked.view!r} has {dim} numbers, `vector` {len(asked.vector)}")
        with np.errstate(over="ignore"):
            given = np.array(asked.vector, dtype=np.float32)
        if not np.isfinite(given).all() or not given.any():
            raise HttpError(422, "`vector` is of finite numbers in float32's range, not all of them zero")
        return generation, given, None
    selection = select(snapshot, asked.view, [asked.feature])
    (key,) = encode(generation.schema, keys_of(selection, [asked.key]))
    row = snapshot.fetch(generation, [key]).get(key)
    raw = None
    if row is not None:
        layout.check(row[1])
        raw = layout.raw(row[1], position)
    if raw is None:
        raise HttpError(404, f"{asked.key!r} has no {asked.feature!r} in {asked.view!r}")
    return generation, np.frombuffer(raw, dtype="<f4"), key


def _generation(snapshot: Snapshot, asked: SimilarAsked) -> Generation:
    selection = select(snapshot, asked.view, [asked.feature])
    view = next(iter(selection.members))
    if view in selection.programs:
        raise LimnerError(f"{asked.feature!r} is computed when it is read: name the view whose vectors to compare")
    generation = selection.served.get(view)
    schema = None if generation is None else generation.schema
    if generation is None or schema is None or asked.feature not in schema.layout.index:
        raise HttpError(503, f"{asked.feature!r} of {asked.view!r} is not computed yet: materialize it")
    if schema.columns[schema.layout.index[asked.feature]].dim is None:
        vectors = [column.name for column in schema.columns if column.dim is not None]
        raise HttpError(422, f"{asked.feature!r} of {asked.view!r} is not a vector{choose(asked.feature, vectors)}")
    return generation
