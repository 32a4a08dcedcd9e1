"""Histories as the engine writes them, of any size, without a run of it: what a point-in-time join reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from limner.workers.history.manifest import History

START = datetime(2026, 1, 5, tzinfo=UTC)
DAYS = 90
DIM = 384
SHARDS = 4  # the engine's own number on two cores
_DAILY = 7  # the last days are runs of one day each
_DAY = 86_400_000_000
_FIRST = int(START.timestamp()) * 1_000_000
_NUMBERS = 8  # of floats and of counts; with two instants and two texts a view has 20 scalars


@dataclass(frozen=True)
class MadeView:
    """A view of 20 scalars, with or without a vector, and about how many rows its history has."""

    name: str
    rows: int
    vector: bool = False

    @property
    def columns(self) -> dict[str, "pa.DataType"]:
        """Features and their types in Parquet. No two views share a name."""
        import pyarrow as pa

        stamp = pa.timestamp("us", tz="UTC")
        kinds = {f"spend_{number}": pa.float64() for number in range(_NUMBERS)}
        kinds |= {f"orders_{number}": pa.int64() for number in range(_NUMBERS)}
        kinds |= {"first_seen": stamp, "last_seen": stamp, "city": pa.string(), "favourite": pa.string()}
        if self.vector:
            kinds["taste"] = pa.list_(pa.float32())
        return {f"{self.name}_{name}": kind for name, kind in kinds.items()}


def views(rows: int) -> tuple[MadeView, ...]:
    """Three views with about `rows` rows together; the one with the vector changes less often and has a tenth."""
    often = rows * 45 // 100
    return MadeView("activity", often), MadeView("spending", often), MadeView("taste", rows - 2 * often, vector=True)


def entities(rows: int) -> int:
    """Entities of histories of `rows` together: 22 rows each in the views without the vector, 5 in the other."""
    return max(1, rows // 50)


def write_history(folder: Path, view: MadeView, count: int, *, seed: int = 7) -> int:
    """Write and serve a history of `view` over `count` entities in the view's `folder`; returns its number of rows.

    A backfill in shards, then a run a day for a week. Every entity has a row at `START`; then its values change on days
    of its own. Texts are of fifty each, a twentieth of the floats is null, vectors have length 1.
    """
    import numpy as np

    from limner.workers.history.manifest import History, Segment
    from limner.workers.history.served import serve

    history = History(folder / "made")
    rng = np.random.default_rng([seed, *view.name.encode()])
    changes = rng.random((count, DAYS + 1), np.float32) < (view.rows - count) / (count * DAYS)
    changes[:, 0] = True
    base = _write_parts(history, rng, view, changes, 0, 0)
    for first, last in [(1, DAYS - _DAILY), *((day, day) for day in range(DAYS - _DAILY + 1, DAYS + 1))]:
        files = _write_parts(history, rng, view, changes, first, last)
        segment = Segment(after=_FIRST + (first - 1) * _DAY, until=_FIRST + last * _DAY, files=files)
        history.commit(segment, base if first == 1 else [])
    serve(folder, "made")
    return int(changes.sum())


def _write_parts(
    history: "History", rng: "np.random.Generator", view: MadeView, changes: "np.ndarray", first: int, last: int
) -> tuple[str, ...]:
    """The rows of some days, in shards by entity; returns the files' names."""
    import numpy as np

    from limner.workers.shard import write_part

    names = []
    for shard in range(SHARDS):
        users, days = np.nonzero(changes[shard::SHARDS, first : last + 1])
        if len(users):
            names.append(f"{last}/{shard}.parquet")
            write_part(history.folder / names[-1], _rows(rng, view, users * SHARDS + shard, days + first))
    return tuple(names)


def _rows(rng: "np.random.Generator", view: MadeView, users: "np.ndarray", days: "np.ndarray") -> "pa.Table":
    """Sorted by key and time, as the arguments are."""
    import pyarrow as pa

    table = {"user_id": pa.array(users)}
    for name, kind in view.columns.items():
        table[name] = _column(rng, len(users), kind)
    table["event_timestamp"] = pa.array(_FIRST + days * _DAY).cast(pa.timestamp("us", tz="UTC"))
    return pa.table(table)


def _column(rng: "np.random.Generator", count: int, kind: "pa.DataType") -> "pa.Array":
    import numpy as np
    import pyarrow as pa

    if pa.types.is_floating(kind):
        return pa.array(np.round(rng.gamma(2, 20, count), 2), mask=rng.random(count, np.float32) < 0.05)
    if pa.types.is_integer(kind):
        return pa.array(rng.integers(0, 200, count))
    if pa.types.is_timestamp(kind):
        return pa.array(_FIRST + rng.integers(-DAYS * _DAY, 0, count)).cast(kind)
    if pa.types.is_string(kind):
        names = pa.array([f"name {number:02d}" for number in range(50)])
        return pa.DictionaryArray.from_arrays(rng.integers(0, 50, count).astype(np.int32), names).cast(kind)
    matrix = rng.standard_normal((count, DIM), np.float32)
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
    return pa.ListArray.from_arrays(np.arange(0, count * DIM + 1, DIM, dtype=np.int32), matrix.reshape(-1))


def entity_rows(count: int, of: int, *, seed: int = 11) -> "pa.Table":
    """`count` entity rows, no two equal: `label` (the row's number), `user_id` and `event_timestamp` at any µs.

    From `START` on; one in a hundred is of an entity that no history knows.
    """
    import numpy as np
    import pyarrow as pa

    rng = np.random.default_rng(seed)
    users = rng.integers(0, of, count)
    users[::100] += of
    # Of equal draws (there are hardly any) the row's number makes different ones.
    stamps = _FIRST + rng.integers(0, DAYS * _DAY // count, count) * count + np.arange(count)
    return pa.table(
        {
            "label": pa.array(np.arange(count)),
            "user_id": pa.array(users),
            "event_timestamp": pa.array(stamps).cast(pa.timestamp("us", tz="UTC")),
        }
    )


def parts(folder: Path) -> Iterator[Path]:
    """All Parquet files of a history that `write_history` wrote; every row of theirs is visible."""
    from limner.workers.history.served import served_history

    history = served_history(folder)
    return iter(()) if history is None else (part.path for part in history.parts())
