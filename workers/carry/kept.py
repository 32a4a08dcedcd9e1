"""The files in which a run hands on what windows hold at its end: one a shard, and a record of what it has seen."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from limner.workers.history.files import replace, write_atomic
from limner.workers.sources.evidence import Evidence
from limner.workers.windows.carried import State, UnlikeStateError
from limner.workers.windows.exact import Limbs

RECORD = "handed-on.json"
_VERSION = 1  # of all that is in these files: others are not read
_SUMS = b"limner.sums"


class Handed(BaseModel):
    """What a run hands on: what windows hold at `at` (µs, of the grid), one of `files` a shard; what it saw, by source.

    Files are relative to the folder of the history.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    version: int = _VERSION
    at: int
    files: tuple[str, ...]
    seen: dict[str, Evidence]


def write_record(path: Path, handed: Handed) -> None:
    """Write the record, durably."""
    replace(path, handed.model_dump_json(indent=1).encode())


def read_record(path: Path) -> Handed | None:
    """The record; None where it is not there, of another version or not to be read."""
    try:
        found = Handed.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return found if found.version == _VERSION else None


def write_state(path: Path, state: State) -> None:
    """Write the state of a shard, durably: join keys, and a column (int32) for each limb of each sum."""
    columns = {f"key.{name}": state.keys[name] for name in state.keys.column_names}
    described = {}
    for name, sums in state.sums.items():
        described[name] = [[each.exponent, len(each.limb)] for each in sums]
        for number, each in enumerate(sums):
            for place, limb in enumerate(each.limb):
                columns[f"{name}.{number}.{place}"] = pa.array(limb).cast(pa.int32())
    table = pa.table(columns).replace_schema_metadata({_SUMS: json.dumps(described).encode()})
    write_atomic(path, lambda target: pq.write_table(table, target, compression="lz4", write_statistics=False))


def read_state(path: Path) -> State:
    """The state of a shard. UnlikeStateError where it is not there or cannot be read."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UnlikeStateError(f"what was handed on cannot be read: {error}") from error
    names = [name for name in table.column_names if name.startswith("key.")]
    keys = table.select(names).rename_columns([name.removeprefix("key.") for name in names]).replace_schema_metadata()

    def limbs(name: str, number: int, exponent: int, count: int) -> Limbs:
        columns = [table[f"{name}.{number}.{place}"].to_numpy() for place in range(count)]
        return Limbs(np.stack(columns).astype(np.int64), exponent)

    described = json.loads((table.schema.metadata or {})[_SUMS])
    sums = {
        name: tuple(limbs(name, number, *each) for number, each in enumerate(some)) for name, some in described.items()
    }
    return State(keys.combine_chunks(), sums)
