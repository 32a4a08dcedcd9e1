"""The point-in-time join: DuckDB's ASOF join over the visible parts of a history."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.language.errors import LimnerError
from limner.workers.history.manifest import History, Part
from limner.workers.history.served import Pointer, pointers
from limner.workers.online.pack import EPOCH
from limner.workers.sql import literal, quoted

ROW = "__row"
STAMP = "__stamp"
_ATTEMPTS = 3


@dataclass(frozen=True)
class Wanted:
    """What is asked of one view.

    `keys` pairs a key column of the history with the entity table's column; `features` pairs a column of the
    history with the name it gets and the Arrow type it has.
    """

    view: str
    history: Path | None  # folder of a view's histories
    files: str | None  # or, for a view that is not ours, a Parquet file or folder
    keys: tuple[tuple[str, str], ...]
    features: tuple[tuple[str, str, pa.DataType], ...]
    timestamp: str = "event_timestamp"
    created: str | None = None
    ttl: timedelta = field(default_factory=timedelta)


class Joiner:
    """One answer: an entity table (join keys and `__stamp`, int64 µs UTC), and features joined to it view by view."""

    def __init__(self, *, threads: int | None = None, memory_limit: str | None = None) -> None:
        self._served: dict[Path, dict[str, Pointer]] = {}
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET preserve_insertion_order = false")  # queries say which order they want
        if threads is not None:
            self._connection.execute(f"SET threads = {int(threads)}")
        if memory_limit is not None:
            self._connection.execute("SET memory_limit = ?", [memory_limit])

    def close(self) -> None:
        """Free DuckDB's memory."""
        self._connection.close()

    def history(self, view_folder: Path) -> History | None:
        """The history that this answer reads of a view: which ones are served is looked up once, for all views."""
        histories = view_folder.parent
        if histories not in self._served:
            self._served[histories] = pointers(histories)
        pointer = self._served[histories].get(view_folder.name)
        return None if pointer is None else History(view_folder / pointer.fingerprint)

    def join(self, entities: pa.Table, wanted: Wanted) -> list[pa.ChunkedArray]:
        """Return the features of one view, a column each, with as many rows as `entities` and in their order."""
        if not len(entities):
            return [_nothing(entities, kind) for _, _, kind in wanted.features]
        newest = pc.max(entities.column(STAMP)).as_py()
        for attempt in range(_ATTEMPTS):
            try:
                return self._join(entities, wanted, newest)
            except (duckdb.IOException, FileNotFoundError) as error:
                # A run that replaced a part between our look at the manifest and our read of the file.
                if attempt == _ATTEMPTS - 1:
                    raise LimnerError(f"the history of {wanted.view!r} cannot be read: {error}") from error
        raise AssertionError("unreachable")

    def _join(self, entities: pa.Table, wanted: Wanted, newest: int | None) -> list[pa.ChunkedArray]:
        rows = self.rows(wanted, newest)
        if rows is None or newest is None:
            return [_nothing(entities, kind) for _, _, kind in wanted.features]
        left = entities.select(list(dict.fromkeys([STAMP, *(own for _, own in wanted.keys)])))
        left = left.append_column(ROW, pa.array(range(len(left)), pa.int64()))
        on = " AND ".join(f"e.{quoted(own)} = h.{quoted(theirs)}" for theirs, own in wanted.keys)
        value = "h.{}"
        if wanted.ttl:
            age = wanted.ttl // timedelta(microseconds=1)
            value = f"CASE WHEN e.{STAMP} - h.{STAMP} <= {age} THEN h.{{}} END"
        picked = ", ".join(f"{value.format(quoted(column))} AS {quoted(alias)}" for column, alias, _ in wanted.features)
        self._connection.register("entities", left)
        query = (
            f"SELECT {picked} FROM entities e ASOF LEFT JOIN ({rows}) h ON {on} AND e.{STAMP} >= h.{STAMP} "
            f"ORDER BY e.{ROW}"
        )
        answer = self._connection.sql(query).to_arrow_table()
        return [answer.column(alias).cast(kind) for _, alias, kind in wanted.features]

    def table(self, query: str) -> pa.Table:
        """The result of a query made from `rows`."""
        return self._connection.sql(query).to_arrow_table()

    def rows(self, wanted: Wanted, newest: int | None = None, oldest: int | None = None) -> str | None:
        """SQL of a view's visible rows at oldest < event timestamp <= newest; None while it has none.

        Columns: keys and features under the history's names, and `__stamp`. LimnerError if the history that is
        served has not got a feature yet.
        """
        stamp = f"epoch_us({quoted(wanted.timestamp)}::TIMESTAMPTZ)"
        columns = list(dict.fromkeys([*(theirs for theirs, _ in wanted.keys), *(c for c, _, _ in wanted.features)]))
        picked = f"SELECT {_list(columns)}, {stamp} AS {STAMP} FROM"
        if wanted.history is None:
            return f"{picked} {_plain_files(wanted, stamp, oldest, newest)}"
        history = self.history(wanted.history)
        parts = [] if history is None else history.parts()
        if not parts:
            return None
        self._require(parts, columns, wanted)
        scans: dict[str, list[Path]] = {}  # condition -> files
        for part in parts:
            low = max((bound for bound in (part.after, oldest) if bound is not None), default=None)
            high: int | None = part.until if newest is None else min(part.until, newest)
            least, most = _extent(part.path)
            if most is not None and least is not None and high is not None:
                if least > high or (low is not None and most <= low):
                    continue  # nothing of it is visible
                if most <= high:
                    high = None
                if low is not None and least > low:
                    low = None
            scans.setdefault(_between(quoted(wanted.timestamp), low, high), []).append(part.path)
        selects = []
        for condition, files in scans.items():
            listed = ", ".join(literal(glob.escape(str(path))) for path in files)
            selects.append(f"{picked} read_parquet([{listed}]) WHERE {condition}")
        return " UNION ALL ".join(selects) or None

    def _require(self, parts: Sequence[Part], columns: Sequence[str], wanted: Wanted) -> None:
        """All parts of a history share one schema: look at one."""
        have = self._connection.sql(f"SELECT * FROM read_parquet({literal(glob.escape(str(parts[0].path)))})").columns
        for column in columns:
            if column not in have:
                raise LimnerError(
                    f"feature {column!r} of view {wanted.view!r} is declared but not yet computed: "
                    "run `feast materialize`; until then the view serves its earlier definition"
                )


def _plain_files(wanted: Wanted, stamp: str, oldest: int | None, newest: int | None) -> str:
    """Scan of a view that is not ours: of rows with equal keys and timestamps, the last created."""
    assert wanted.files is not None
    scan = f"read_parquet({literal(_pattern(wanted.files))}, union_by_name = true)"
    scan += f" WHERE {_between(f'{quoted(wanted.timestamp)}::TIMESTAMPTZ', oldest, newest)}"
    if not wanted.keys:
        return scan
    keys = _list([theirs for theirs, _ in wanted.keys])
    order = f"ORDER BY {quoted(wanted.created)} DESC NULLS LAST" if wanted.created else ""
    return f"{scan} QUALIFY row_number() OVER (PARTITION BY {keys}, {stamp} {order}) = 1"


def _list(columns: Sequence[str]) -> str:
    return ", ".join(quoted(column) for column in columns)


def _between(column: str, low: int | None, high: int | None) -> str:
    """A condition on the column itself, which lets DuckDB skip row groups."""
    bounds = [
        f"{column} {sign} make_timestamptz({at}::BIGINT)" for sign, at in ((">", low), ("<=", high)) if at is not None
    ]
    return " AND ".join(bounds) or "true"


@lru_cache(maxsize=100_000)
def _extent(path: Path) -> tuple[int | None, int | None]:
    """First and last event timestamp (µs) in a part, by its footer; files of a history never change.

    Most parts of a history are visible as a whole: one scan without a condition then reads all of them.
    """
    metadata = pq.read_metadata(path)
    leaves = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    found = [group.column(leaves.index("event_timestamp")).statistics for group in groups]
    if not found or any(each is None or not each.has_min_max for each in found):
        return None, None
    micro = timedelta(microseconds=1)
    return (min(each.min for each in found) - EPOCH) // micro, (max(each.max for each in found) - EPOCH) // micro


def _pattern(files: str) -> str:
    """DuckDB's glob for a file, or for all Parquet files of a folder."""
    plain = glob.escape(files.rstrip("/"))
    return plain if Path(files).suffix else f"{plain}/**/*.parquet"


def _nothing(entities: pa.Table, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(len(entities), kind)])
