"""Every wanted text has an embedding, and no text is encoded twice."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from limner.workers.report import EncoderBusy, Reporter, TextsEncoded, silent
from limner.workers.tasks import Workers
from limner.workers.text.cache import EmbeddingCache, write_part
from limner.workers.text.encode import Encode
from limner.workers.text.stage import read_chunk, stage, wanted_digests

_CHUNKS_IN_FLIGHT = 2  # one encodes while the other reads its texts and writes its vectors
_WORK = ".work"  # of a run that has not ended well; the next one takes it over


@dataclass(frozen=True)
class EnsureResult:
    """`known` texts had an embedding, `encoded` got theirs now, `failed` (digest → reason) have none."""

    known: int
    encoded: int
    failed: Mapping[bytes, str] = field(default_factory=dict)


def ensure(
    texts: Sequence[Path],
    cache: EmbeddingCache,
    encode: Encode,
    cluster: Workers,
    reporter: Reporter = silent,
    *,
    memory_limit: str = "1GB",
) -> EnsureResult:
    """Encode the texts (Parquet files of digest and text) that the cache does not know.

    Each chunk of texts is one task, and one durable part of the cache when it is done: a run that is killed
    or fails repeats at most the chunks in flight, and cuts the rest as an undisturbed one would. One process
    at a time encodes with an encoder; another one waits, and then finds its texts known. Where nothing is
    missing neither the encoder nor the cluster is touched.
    """
    wanted = wanted_digests(texts)
    cache.refresh()
    missing = cache.missing(wanted)
    if len(missing) == 0:
        return _all_known(cache, wanted, reporter)
    with cache.lock(on_wait=lambda: reporter(EncoderBusy(cache.encoder))):
        cache.refresh()
        missing = cache.missing(wanted)
        if len(missing) == 0:
            return _all_known(cache, wanted, reporter)
        known = _distinct(wanted) - len(missing)
        encode.check()
        failed: dict[bytes, str] = {}
        done = characters = 0
        reporter(TextsEncoded(cache.encoder, 0, len(missing), known))
        work = _tidy(cache.folder)
        staged = stage(texts, missing, work, memory_limit)
        task = partial(encode_chunk, encode, cache.folder, cache.dim)
        with closing(cluster.map(task, staged, in_flight=_CHUNKS_IN_FLIGHT, cpus=0.5)) as chunks:
            for chunk in chunks:
                done += chunk.rows
                characters += chunk.characters
                failed |= chunk.failed
                reporter(TextsEncoded(cache.encoder, done, len(missing), known, characters))
        shutil.rmtree(work)
    cache.refresh()
    return EnsureResult(known=known, encoded=done - len(failed), failed=failed)


@dataclass(frozen=True)
class Chunk:
    """What became of a chunk of texts."""

    rows: int
    failed: Mapping[bytes, str]
    characters: int = 0


def encode_chunk(encode: Encode, folder: Path, dim: int, path: Path) -> Chunk:
    """Encode the texts of one staged file and store their vectors durably. Runs in a worker process."""
    table = read_chunk(path)
    digests = table.column("digest").to_pylist()
    texts = table.column("text").to_pylist()
    encoded = encode(texts)
    good = np.array([row for row in range(len(digests)) if row not in encoded.failures], np.int64)
    write_part(folder, pa.array([digests[row] for row in good], pa.binary(16)), encoded.vectors[good], dim)
    path.unlink(missing_ok=True)
    return Chunk(len(digests), {digests[row]: reason for row, reason in encoded.failures.items()}, sum(map(len, texts)))


def _all_known(cache: EmbeddingCache, wanted: pa.ChunkedArray, reporter: Reporter) -> EnsureResult:
    known = _distinct(wanted)
    if known:
        reporter(TextsEncoded(cache.encoder, 0, 0, known))
    return EnsureResult(known=known, encoded=0)


def _distinct(digests: pa.ChunkedArray) -> int:
    return len(digests.unique())


def _tidy(folder: Path) -> Path:
    """Remove what killed runs left half written; return the folder of staged chunks. Needs the cache's lock."""
    work = folder / _WORK
    for half in [*folder.glob(".*.tmp"), *work.glob(".*")]:
        shutil.rmtree(half) if half.is_dir() else half.unlink()
    work.mkdir(exist_ok=True)
    return work
