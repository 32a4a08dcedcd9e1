"""The texts still to encode, out of any number of files: distinct, sorted by length, cut in chunks."""

import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.workers.text.index import DIGEST

SMALLEST, LARGEST = 512, 4096  # texts a chunk
_CHUNKS = 32  # aimed at where chunks of less than LARGEST allow it: progress a person can follow
_REQUEST = 256  # a chunk is a whole number of requests of this many texts


def chunk_rows(texts: int) -> int:
    """Return how many texts one task encodes, where `texts` are missing."""
    even = -(-texts // (_CHUNKS * _REQUEST)) * _REQUEST
    return min(LARGEST, max(SMALLEST, even))


def wanted_digests(texts: Sequence[Path]) -> pa.ChunkedArray:
    """Read the digest column of every file, repeats included."""
    columns = [pq.read_table(path, columns=["digest"]).column("digest") for path in texts]
    return pa.chunked_array([chunk.cast(DIGEST) for column in columns for chunk in column.chunks], DIGEST)


def stage(texts: Sequence[Path], missing: pa.Array, folder: Path, memory_limit: str = "1GB") -> list[Path]:
    """Return chunk files, in `folder`, of the `missing` texts (columns digest, text).

    Texts of equal length stand together, so that a batch needs little padding; the longest come first, so
    that a run ends on short ones. Files are Arrow, at most `chunk_rows` texts each. Memory is bounded by
    `memory_limit`.

    Chunks that a run before this one staged there and did not finish are taken over as they were: a vector's
    last bits may depend on the texts it was computed with, and a run that was killed and started again must
    give what an undisturbed one gives.
    """
    left = _left_over(folder, missing)
    rest = missing
    if left:
        staged = pa.concat_arrays([digests for _, digests in left])
        rest = missing.filter(pc.invert(pc.is_in(missing, staged)))
    return [*(path for path, _ in left), *(_write_chunks(texts, rest, folder, memory_limit) if len(rest) else ())]


def _left_over(folder: Path, missing: pa.Array) -> list[tuple[Path, pa.Array]]:
    """Return the unfinished chunks whose texts are all still missing, with their digests; delete the others."""
    kept = []
    for path in sorted(folder.glob("*/chunk-*.arrow")):
        try:
            digests = read_chunk(path).column("digest").combine_chunks().cast(DIGEST)
        except pa.ArrowInvalid:  # the machine went down while it was written
            digests = None
        if digests is not None and pc.all(pc.is_in(digests, missing)).as_py():
            kept.append((path, digests))
        else:
            path.unlink()
    return kept


def _write_chunks(texts: Sequence[Path], missing: pa.Array, folder: Path, memory_limit: str) -> list[Path]:
    """Stage the missing texts in a new folder below `folder`, which gets its name when all are there."""
    hidden = folder / f".{uuid.uuid4().hex}"
    hidden.mkdir(parents=True)
    rows = chunk_rows(len(missing))
    with duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": str(hidden / "spill")}) as db:
        db.register("wanted", pa.table({"digest": missing.cast(pa.binary())}))
        reader = db.sql(
            """
            SELECT digest, text FROM (
                SELECT digest, any_value(text) AS text FROM read_parquet($paths)
                WHERE digest IN (SELECT digest FROM wanted) GROUP BY digest)
            ORDER BY strlen(text) DESC, text
            """,
            params={"paths": [_literal(path) for path in texts]},
        ).to_arrow_reader(LARGEST)
        for number, table in enumerate(_rechunked(reader, rows)):
            path = hidden / f"chunk-{number:06d}.arrow"
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
    # Named by time: what was staged first comes first when it is taken over.
    staged = hidden.rename(folder / f"{time.time_ns():020d}")
    return sorted(staged.glob("chunk-*.arrow"))


def read_chunk(path: Path) -> pa.Table:
    """Read a chunk file."""
    with pa.OSFile(str(path)) as source:
        return pa.ipc.open_file(source).read_all()


def _rechunked(batches: pa.RecordBatchReader, rows: int) -> Iterator[pa.Table]:
    """Cut a stream of batches into tables of `rows` rows; the last may have fewer."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        held.append(batch)
        count += batch.num_rows
        while count >= rows:
            table = pa.Table.from_batches(held)
            yield table.slice(0, rows)
            rest = table.slice(rows)
            held, count = rest.to_batches(), rest.num_rows
    if count:
        yield pa.Table.from_batches(held)


def _literal(path: Path) -> str:
    """Escape what DuckDB would read as a pattern."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in str(path))
