"""Texts that could not be encoded, set aside with their reasons."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.workers.history.files import write_atomic


def write_failed(path: Path, texts: Sequence[Path], failed: Mapping[bytes, str]) -> list[str]:
    """Write the failed texts (columns reason, text), once each, to `path`, whole or not at all; return the reasons.

    `texts` are the Parquet files of digest and text they came from; `failed` gives a reason by digest.
    """
    wanted = pa.array(list(failed), pa.binary())
    found: dict[bytes, str] = {}
    for file in texts:
        table = pq.read_table(file, columns=["digest", "text"])
        digests = table["digest"].cast(pa.binary())
        chosen = pc.is_in(digests, value_set=wanted)
        kept = zip(digests.filter(chosen).to_pylist(), table["text"].filter(chosen).to_pylist(), strict=True)
        found |= dict(kept)
    if not found:
        return []
    rows = sorted((failed[digest], text) for digest, text in found.items())
    table = pa.table({"reason": [reason for reason, _ in rows], "text": [text for _, text in rows]})
    write_atomic(path, lambda target: pq.write_table(table, target))
    return [reason for reason, _ in rows]
