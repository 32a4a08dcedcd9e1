"""Tables to Parquet files, holding only a group of blocks in memory."""

from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

GROUP = 1_000_000  # rows that are sorted and written together, about
ROW_GROUP = 100_000


def plain(table: pa.Table) -> pa.Table:
    """The table with its dictionaries written out."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(field.type.value_type))
    return table


def write(path: Path, table: pa.Table) -> None:
    """Write one table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(plain(table), path, row_group_size=ROW_GROUP, compression="zstd")


class Appended:
    """A file that tables of one schema are put into, one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def add(self, table: pa.Table) -> None:
        """Append rows; they wait until they make a row group."""
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= ROW_GROUP:
            self._flush()

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if not self._waiting:
            return
        table = plain(pa.concat_tables(self._waiting))
        if self._writer is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table, row_group_size=ROW_GROUP)
        self._waiting, self._rows = [], 0


class EventFiles:
    """Events in folders by month of their event timestamp (UTC); within a file they are sorted by it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self._groups = 0

    def add(self, table: pa.Table) -> None:
        """Take the events of a block; a whole group is written."""
        self._waiting.append(table)
        self._rows += len(table)
        if self._rows >= GROUP:
            self.flush()

    def flush(self) -> None:
        """Write what waits: a file for each month that it has rows of."""
        if not self._rows:
            return
        table = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting, self._rows = [], 0
        at, number, created = (
            table.column(name).cast(pa.int64()).to_numpy()
            for name in ("event_timestamp", "event_id", "created_timestamp")
        )
        order = np.lexsort((created, number, at))
        months, firsts = np.unique(at[order].astype("datetime64[us]").astype("datetime64[M]"), return_index=True)
        for month, places in zip(months, np.split(order, firsts[1:]), strict=True):
            path = self._folder / f"month={month}" / f"part-{self._groups:05d}.parquet"
            write(path, table.take(pa.array(places)))
        self._groups += 1


class Files:
    """Everything a simulation appends to; leaving the block finishes the files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._events = EventFiles(folder / "events")
        self._others: dict[str, Appended] = {}

    def __enter__(self) -> "Files":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._events.flush()
        for appended in self._others.values():
            appended.close()

    def events(self, table: pa.Table) -> None:
        """Add events."""
        self._events.add(table)

    def append(self, name: str, table: pa.Table) -> None:
        """Add rows to `name`.parquet."""
        self._others.setdefault(name, Appended(self._folder / f"{name}.parquet")).add(table)
