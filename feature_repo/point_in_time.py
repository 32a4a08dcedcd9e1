"""The point-in-time join: DuckDB's ASOF join over the visible parts of a history."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from limner.feature_repo.gather import gather
from limner.feature_repo.scans import PLACE, Scan, between, visible_scans
from limner.language.errors import LimnerError
from limner.workers.history.manifest import History, Part
from limner.workers.history.served import Pointer, pointers
from limner.workers.sql import literal, quoted

ROW = "__row"
STAMP = "__stamp"
_ATTEMPTS = 3
_MICRO = timedelta(microseconds=1)


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
        span = pc.min_max(entities.column(STAMP)).as_py()
        newest = span["max"]
        oldest = span["min"] - wanted.ttl // _MICRO - 1 if wanted.ttl and newest is not None else None
        for attempt in range(_ATTEMPTS):
            try:
                return self._join(entities, wanted, newest, oldest)
            except (duckdb.IOException, FileNotFoundError) as error:
                # A run that replaced a part between our look at the manifest and our read of the file.
                if attempt == _ATTEMPTS - 1:
                    raise LimnerError(f"the history of {wanted.view!r} cannot be read: {error}") from error
        raise AssertionError("unreachable")

    def _join(
        self, entities: pa.Table, wanted: Wanted, newest: int | None, oldest: int | None
    ) -> list[pa.ChunkedArray]:
        """`oldest`: rows at or before it are too old for every entity row; in µs, as is `newest`."""
        scans = [] if wanted.history is None or newest is None else self._scans(wanted, newest, oldest)
        if newest is None or (wanted.history is not None and not scans):
            return [_nothing(entities, kind) for _, _, kind in wanted.features]
        left = entities.select(list(dict.fromkeys([STAMP, *(own for _, own in wanted.keys)])))
        self._connection.register("entities", left.append_column(ROW, pa.array(np.arange(len(left)))))
        if scans and scans[0].has_places:
            return self._join_late(wanted, scans)
        return self._join_whole(wanted, newest, oldest)

    def _join_late(self, wanted: Wanted, scans: Sequence[Scan]) -> list[pa.ChunkedArray]:
        """Join keys and instants alone, then read the features of the rows that were found, of each once.

        An as-of join sorts what it is given, and most of a wide history is not found.
        """
        keys = _list([theirs for theirs, _ in wanted.keys])
        narrow = " UNION ALL ".join(scan.select(keys, f"{_stamp(wanted)} AS {STAMP}", scan.place) for scan in scans)
        known = f"SELECT h.* FROM ({narrow}) h SEMI JOIN entities e ON {_same_keys(wanted)}"
        found = self.table(
            f"SELECT {_while_valid(wanted, PLACE)} AS {PLACE} FROM entities e ASOF LEFT JOIN ({known}) h "
            f"ON {_same_keys(wanted)} AND e.{STAMP} >= h.{STAMP} ORDER BY e.{ROW}"
        ).column(PLACE)
        self._connection.register("found", pa.table({PLACE: pc.unique(found.drop_null())}))
        self._connection.execute("SET arrow_large_buffer_size = true")  # of no text or list too much for one column
        columns = _list([column for column, _, _ in wanted.features])
        wide = " UNION ALL ".join(scan.select(columns, scan.place) for scan in scans)
        rows = self.table(f"SELECT h.* FROM ({wide}) h SEMI JOIN found USING ({PLACE})")
        places = pc.index_in(found, rows.column(PLACE)).combine_chunks()
        return [gather(rows.column(column), places, kind) for column, _, kind in wanted.features]

    def _join_whole(self, wanted: Wanted, newest: int, oldest: int | None) -> list[pa.ChunkedArray]:
        """Join in one query, which reads everything once: files of others may be replaced between two."""
        picked = ", ".join(f"{_while_valid(wanted, column)} AS {quoted(alias)}" for column, alias, _ in wanted.features)
        answer = self.table(
            f"SELECT {picked} FROM entities e ASOF LEFT JOIN ({self.rows(wanted, newest, oldest)}) h "
            f"ON {_same_keys(wanted)} AND e.{STAMP} >= h.{STAMP} ORDER BY e.{ROW}"
        )
        return [answer.column(alias).cast(kind) for _, alias, kind in wanted.features]

    def table(self, query: str) -> pa.Table:
        """The result of a query made from `rows`."""
        return self._connection.sql(query).to_arrow_table()

    def rows(self, wanted: Wanted, newest: int | None = None, oldest: int | None = None) -> str | None:
        """SQL of a view's visible rows at oldest < event timestamp <= newest; None while it has none.

        Columns: keys and features under the history's names, and `__stamp`. LimnerError if the history that is
        served has not got a feature yet.
        """
        picked = f"{_list(_columns(wanted))}, {_stamp(wanted)} AS {STAMP}"
        if wanted.history is None:
            return f"SELECT {picked} FROM {_plain_files(wanted, oldest, newest)}"
        return " UNION ALL ".join(scan.select(picked) for scan in self._scans(wanted, newest, oldest)) or None

    def _scans(self, wanted: Wanted, newest: int | None, oldest: int | None = None) -> list[Scan]:
        assert wanted.history is not None
        history = self.history(wanted.history)
        parts = [] if history is None else history.parts()
        if parts:
            self._require(parts, wanted)
        return visible_scans(parts, wanted.timestamp, oldest, newest)

    def _require(self, parts: Sequence[Part], wanted: Wanted) -> None:
        """All parts of a history share one schema: look at one."""
        have = pq.read_schema(parts[0].path).names
        for column in _columns(wanted):
            if column not in have:
                raise LimnerError(
                    f"feature {column!r} of view {wanted.view!r} is declared but not yet computed: "
                    "run `feast materialize`; until then the view serves its earlier definition"
                )


def _columns(wanted: Wanted) -> list[str]:
    """Keys and features, as the history calls them."""
    return list(dict.fromkeys([*(theirs for theirs, _ in wanted.keys), *(column for column, _, _ in wanted.features)]))


def _stamp(wanted: Wanted) -> str:
    return f"epoch_us({quoted(wanted.timestamp)}::TIMESTAMPTZ)"


def _same_keys(wanted: Wanted) -> str:
    return " AND ".join(f"e.{quoted(own)} = h.{quoted(theirs)}" for theirs, own in wanted.keys)


def _while_valid(wanted: Wanted, column: str) -> str:
    """A column of the history's row, null where the row is too old."""
    if not wanted.ttl:
        return f"h.{quoted(column)}"
    age = wanted.ttl // _MICRO
    return f"CASE WHEN e.{STAMP} - h.{STAMP} <= {age} THEN h.{quoted(column)} END"


def _plain_files(wanted: Wanted, oldest: int | None, newest: int | None) -> str:
    """Scan of a view that is not ours: of rows with equal keys and timestamps, the last created."""
    assert wanted.files is not None
    scan = f"read_parquet({literal(_pattern(wanted.files))}, union_by_name = true)"
    scan += f" WHERE {between(f'{quoted(wanted.timestamp)}::TIMESTAMPTZ', oldest, newest)}"
    if not wanted.keys:
        return scan
    keys = _list([theirs for theirs, _ in wanted.keys])
    order = f"ORDER BY {quoted(wanted.created)} DESC NULLS LAST" if wanted.created else ""
    return f"{scan} QUALIFY row_number() OVER (PARTITION BY {keys}, {_stamp(wanted)} {order}) = 1"


def _list(columns: Sequence[str]) -> str:
    return ", ".join(quoted(column) for column in columns)


def _pattern(files: str) -> str:
    """DuckDB's glob for a file, or for all Parquet files of a folder."""
    plain = glob.escape(files.rstrip("/"))
    return plain if Path(files).suffix else f"{plain}/**/*.parquet"


def _nothing(entities: pa.Table, kind: pa.DataType) -> pa.ChunkedArray:
    return pa.chunked_array([pa.nulls(len(entities), kind)])
