"""The texts still to encode, out of any number of files: distinct, sorted by length, cut in chunks."""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
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


def stage(
    texts: Sequence[Path], missing: pa.Array, folder: Path, memory_limit: str = "1GB"
) -> Generator[Path, None, None]:
    """Write chunk files of the `missing` texts (columns digest, text) below `folder`, and yield each.

    Texts of equal length stand together, so that a batch needs little padding; the longest come first, so
    that a run ends on short ones. Files are Arrow, at most `chunk_rows` texts each. Memory is bounded by
    `memory_limit`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = chunk_rows(len(missing))
    with duckdb.connect(config={"memory_limit": memory_limit, "temp_directory": str(folder / "spill")}) as db:
        wanted = pa.table({"digest": missing.cast(pa.binary())})
        db.register("wanted", wanted)
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
            path = folder / f"chunk-{number:06d}.arrow"
            with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table)
            yield path


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
