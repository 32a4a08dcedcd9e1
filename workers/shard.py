"""One task: the history of one shard over one interval, from its cleaned rows to a durable Parquet file."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from limner.workers.carry.kept import read_state, write_state
from limner.workers.heap import keep_freed
from limner.workers.history.files import write_atomic
from limner.workers.sources.prepare import PrepareRequest, seen_before
from limner.workers.text.models import AnyEncoder
from limner.workers.text.vectors import stored_vectors
from limner.workers.windows.column import Bools
from limner.workers.windows.compute import Task, compute
from limner.workers.windows.timeline import tick_at_or_before


@dataclass(frozen=True)
class ShardTask:
    """What a worker process is handed; all of it picklable, none of it large."""

    number: int
    rows: Mapping[str, Path]  # by source
    changes: Path
    base: Path | None
    task: Task
    requests: Mapping[str, PrepareRequest]  # by source
    embeddings: Path
    encoders: Mapping[str, AnyEncoder]
    carried: Path | None = None  # the state to go on from
    state: Path | None = None  # where the state at the end goes
    known: tuple[Path, ...] = ()  # join keys that belong to it, though none of the rows may be theirs


@dataclass(frozen=True)
class ShardResult:
    """Rows written by a shard; a file without rows is not written."""

    number: int
    changes: int
    base: int


def run_shard(shard: ShardTask) -> ShardResult:
    """Compute and write one shard. The same rows give the same bytes."""
    keep_freed()
    tables = {source: pq.read_table(path) for source, path in shard.rows.items()}
    carried = read_state(shard.carried) if shard.carried is not None else None
    bounded = [request for request in shard.requests.values() if request.lower is not None and carried is None]
    base = tick_at_or_before(shard.task.grid, shard.task.start)

    def known_before(keys: pa.Table) -> Bools:
        found = {row for request in bounded for row in _rows(seen_before(request, keys, base))}
        return np.array([row in found for row in _rows(keys)], bool)

    history = compute(
        tables,
        shard.task,
        stored_vectors(shard.embeddings, shard.encoders),
        known_before if bounded else None,
        carried,
    )
    if shard.state is not None and history.state is not None:
        state = history.state if carried is None else carried.with_changes(history.state)
        for path in shard.known:
            state = state.with_known(pq.read_table(path).select(shard.task.join_keys))
        write_state(shard.state, state)
    write_part(shard.changes, history.changes)
    if shard.base is not None:
        write_part(shard.base, history.base)
    return ShardResult(shard.number, len(history.changes), len(history.base) if shard.base is not None else 0)


def write_part(path: Path, table: pa.Table) -> None:
    """Write a part of a history, whole or not at all; the same rows give the same bytes."""
    # Floats seldom repeat: a dictionary of them costs more than it saves, and one of vectors everything. Whole numbers
    # are small, and near to the one before: their differences take less room than a dictionary, and less time.
    vectors = [f.name for f in table.schema if pa.types.is_list(f.type) and pa.types.is_floating(f.type.value_type)]
    whole = [f.name for f in table.schema if pa.types.is_integer(f.type)]
    plain = {f.name for f in table.schema if pa.types.is_floating(f.type)} | {*vectors, *whole}
    repeating = [name for name in table.column_names if name not in plain]
    keys = [f"{f.name}.key_value.key" for f in table.schema if pa.types.is_map(f.type)]  # few, and in every row
    write_atomic(
        path,
        lambda target: pq.write_table(
            table,
            target,
            compression="lz4",  # half as long to write and to read as zstd, and some percent larger
            use_dictionary=[*repeating, *keys],
            column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
            row_group_size=65_536,
            write_statistics=[name for name in table.column_names if name not in vectors],
            store_schema=True,
        ),
    )


def _rows(keys: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in keys.columns), strict=True))
